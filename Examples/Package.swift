// swift-tools-version: 6.3
import PackageDescription

let package = Package(
    name: "Examples",
    dependencies: [
        // Elsewhere: .package(url: "…", from: "…")
        .package(name: "FrameShare", path: "../")
    ],
    targets: ["PublishFrames", "ReadFrames", "AsyncWorker", "AskWorkers", "StopInOrder"].map { name in
        .executableTarget(name: name, dependencies: [.product(name: "FrameShare", package: "FrameShare")])
    } + [
        .executableTarget(
            name: "BrightnessWorker",
            dependencies: [
                .product(name: "FrameShare", package: "FrameShare"),
                .product(name: "FrameWorkers", package: "FrameShare"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
