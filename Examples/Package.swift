// swift-tools-version: 6.3
import PackageDescription

/// One program a file in Swift/, each a target of its own: README.md lists them.
let programs = [
    "AskWorkers", "AsyncWorker", "BrightnessWorker", "ChangeSize", "CopyFrames", "CropImage", "FollowChannel",
    "HoldFrames", "ListChannels", "OfferControls", "OverlayBoxes", "PollChannel", "PublishFrames", "PublishTwoStreams",
    "ReadAfterMoment", "ReadEveryFrame", "ReadFrames", "ReadOneStream", "ReadPlanes", "SetControl", "StopInOrder",
    "TestWithFakeCamera", "TwoCameras", "WatchChannels", "WatchStatistics",
]

/// What a program needs besides FrameShare.
let more = ["BrightnessWorker": "FrameWorkers", "TestWithFakeCamera": "FrameShareTestKit"]

let package = Package(
    name: "Examples",
    dependencies: [
        // Elsewhere: .package(url: "…", from: "…")
        .package(name: "FrameShare", path: "../")
    ],
    targets: programs.map { name in
        .executableTarget(
            name: name,
            dependencies: (["FrameShare"] + [more[name]].compactMap { $0 }).map { product in
                .product(name: product, package: "FrameShare")
            },
            path: "Swift",
            exclude: programs.filter { $0 != name }.map { "\($0).swift" },
            sources: ["\(name).swift"]
        )
    },
    swiftLanguageModes: [.v6]
)
