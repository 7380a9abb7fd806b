import ArgumentParser
import FrameCommand
import FrameShare

/// How many frames a second a command asks its channel for.
struct RateOption: ParsableArguments {
    @Option(
        help: .init(
            "At most so many frames a second, evenly. The others wake nobody. Left out: all.",
            valueName: "fps"
        ),
        transform: WantedRateArgument.parse
    )
    var rate: Double?
}

/// Frames a second that a subscriber can ask for: `10`, `29.97`, `30000/1001`, `1/60`.
enum WantedRateArgument {
    static func parse(_ text: String) throws -> Double {
        let rate = try FrameRateArgument.parse(text)
        guard Subscriber.rates.contains(rate) else {
            throw ValidationError("give frames a second, from 1/3600 (one an hour) to 10000, such as 10 or 29.97")
        }
        return rate
    }
}
