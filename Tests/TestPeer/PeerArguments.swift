/// `ROLE FOLDER CHANNEL KEY=VALUE ...`
struct PeerArguments {
    let role: String
    let folder: String
    let channel: String
    private let values: [String: String]

    init(_ arguments: [String]) {
        role = arguments.first ?? ""
        folder = arguments.count > 1 ? arguments[1] : ""
        channel = arguments.count > 2 ? arguments[2] : ""
        var values: [String: String] = [:]
        for argument in arguments.dropFirst(3) {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            values[parts[0]] = parts.count > 1 ? parts[1] : "1"
        }
        self.values = values
    }

    func text(_ key: String) -> String? { values[key] }
    func number(_ key: String) -> Int? { values[key].flatMap { Int($0) } }
    func number(_ key: String, _ standard: Int) -> Int { number(key) ?? standard }
    func flag(_ key: String) -> Bool { values[key] != nil && values[key] != "0" }
}
