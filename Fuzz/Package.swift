// swift-tools-version: 6.3
import PackageDescription

// A package of its own: its one product is linked with libFuzzer by Fuzz/run, and by nothing else.
// FUZZ_FFMPEG: FFmpeg's headers are there, so that media files can be fuzzed; Fuzz/run looks.
let hasFFmpeg = Context.environment["FUZZ_FFMPEG"] != nil

let package = Package(
    name: "Fuzz",
    products: [.library(name: "FuzzTargets", type: .static, targets: ["FuzzTargets"])],
    dependencies: [.package(name: "FrameShare", path: "../", traits: hasFFmpeg ? ["FFmpeg"] : [])],
    targets: [
        .target(
            name: "FuzzTargets",
            dependencies: [
                .product(name: "FrameShare", package: "FrameShare"),
                .product(name: "FrameSources", package: "FrameShare"),
            ],
            swiftSettings: hasFFmpeg ? [.define("FFmpeg")] : []
        )
    ],
    swiftLanguageModes: [.v6]
)
