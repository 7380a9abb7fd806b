// swift-tools-version: 6.3
import PackageDescription

// A package of its own: its one product is linked with libFuzzer by Fuzz/run, and by nothing else.
let package = Package(
    name: "Fuzz",
    products: [.library(name: "FuzzTargets", type: .static, targets: ["FuzzTargets"])],
    dependencies: [.package(name: "FrameShare", path: "../")],
    targets: [
        .target(name: "FuzzTargets", dependencies: [.product(name: "FrameShare", package: "FrameShare")])
    ],
    swiftLanguageModes: [.v6]
)
