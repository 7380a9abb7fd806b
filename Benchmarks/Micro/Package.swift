// swift-tools-version: 6.3
import PackageDescription

// A package of its own: nothing but `make bench-micro` is to build the benchmark library.
let package = Package(
    name: "Micro",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "FrameShare", path: "../../"),
        // Without its default trait, which wants jemalloc. Heap allocations are counted by Benchmarks/count.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "ChannelBenchmarks",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "FrameShare", package: "FrameShare"),
            ],
            path: "Benchmarks/ChannelBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    ],
    swiftLanguageModes: [.v6]
)
