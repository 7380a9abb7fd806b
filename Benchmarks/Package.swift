// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "Benchmarks",
    dependencies: [
        .package(name: "FrameShare", path: "../")
    ],
    targets: [
        // What any transport costs at the least, in plain C.
        .target(name: "CFloor"),
        .executableTarget(
            name: "channel-bench",
            dependencies: ["CFloor", .product(name: "FrameShare", package: "FrameShare")]
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
