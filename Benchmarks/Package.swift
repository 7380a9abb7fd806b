// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "FrameShare", path: "../")
    ],
    targets: [
        // What all contestants have in common, whatever their language: arguments, pace, samples, the line at the end.
        .target(name: "CContestant"),
        .executableTarget(
            name: "channel-bench",
            dependencies: ["CContestant", .product(name: "FrameShare", package: "FrameShare")]
        ),
        .executableTarget(
            name: "workers-bench",
            dependencies: [.product(name: "FrameShare", package: "FrameShare")]
        ),
        // A copy stage's copies beside memcpy.
        .executableTarget(
            name: "copy-bench",
            dependencies: [.product(name: "FrameShare", package: "FrameShare")]
        ),
        .executableTarget(
            name: "call-bench",
            dependencies: [.product(name: "FrameShare", package: "FrameShare")]
        ),
        // For counting: instructions under a simulator, heap allocations by itself.
        .target(name: "CAllocationCount"),
        .executableTarget(
            name: "hot-path",
            dependencies: ["CAllocationCount", .product(name: "FrameShare", package: "FrameShare")]
        ),
    ],
    swiftLanguageModes: [.v6]
)
