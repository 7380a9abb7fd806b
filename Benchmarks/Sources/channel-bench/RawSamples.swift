import Glibc

/// All samples as JSON, for whoever wants to look at them in another way.
enum RawSamples {
    static func write(_ results: [CellResult], _ options: Options, to path: String) throws {
        guard let file = fopen(path, "w") else { throw BenchError("\(path) can't be written: errno \(errno)") }
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        fputs(
            """
            {"kernel": "\(release)", "processors": \(sysconf(Int32(_SC_NPROCESSORS_ONLN))), "rate": \(options.rate),
            "unit": "ns", "runs": [

            """,
            file
        )
        for (i, result) in results.enumerated() { fputs(line(result) + (i + 1 < results.count ? ",\n" : "\n"), file) }
        fputs("]}\n", file)
        guard fclose(file) == 0 else { throw BenchError("\(path) can't be written: errno \(errno)") }
    }

    private static func line(_ result: CellResult) -> String {
        let cell = result.cell
        return """
            {"round": \(result.round), "mode": "\(cell.mode.rawValue)", "contestant": "\(cell.contestant.rawValue)", \
            "size": \(cell.size), "readers": \(cell.readers), "frames": \(result.frames), \
            "elapsed": \(result.elapsed), "lost": \(result.lost), "publisher_cpu": \(result.publisherCPU), \
            "reader_cpu": \(result.readerCPU), "publishing": \(result.publishing), "latencies": \(result.latencies)}
            """
    }
}
