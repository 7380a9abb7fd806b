import ArgumentParser

/// What becomes of frames that are no whole images.
struct DamageOption: ParsableArguments {
    @Flag(help: "Take damaged frames too. Where pixels are missing they are 0, and no such frame is encoded.")
    var damaged = false
}
