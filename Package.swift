// swift-tools-version: 6.3
import PackageDescription

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let turboJPEG = Target.Dependency.target(name: "CTurboJPEG", condition: .when(traits: ["Snapshot"]))
let ffmpeg = Target.Dependency.target(name: "CFFmpeg", condition: .when(traits: ["FFmpeg"]))
let ffmpegBridge = Target.Dependency.target(name: "FFmpegBridge", condition: .when(traits: ["FFmpeg"]))
let png = Target.Dependency.target(name: "CPNG", condition: .when(traits: ["Snapshot"]))

let package = Package(
    name: "FrameShare",
    products: [
        .library(name: "FrameShare", targets: ["FrameShare"]),
        .library(name: "FrameSources", targets: ["FrameSources"]),
        .library(name: "FrameSinks", targets: ["FrameSinks"]),
        .library(name: "FrameConversion", targets: ["FrameConversion"]),
        .library(name: "FrameWorkers", targets: ["FrameWorkers"]),
        .library(name: "FrameShareTestKit", targets: ["FrameShareTestKit"]),
        .executable(name: "frameshare", targets: ["FrameShareCLI"]),
        // What 'frameshare bench' runs.
        .executable(name: "frameshare-bench", targets: ["FrameShareBench"]),
        // libframeshare.so is made of it by Scripts/build-c-library, which knows how to link it.
        .library(name: "FrameShareC", type: .dynamic, targets: ["FrameShareC"]),
    ],
    traits: [
        .trait(name: "Snapshot", description: "PNG and JPEG files of frames. Needs libturbojpeg0-dev and libpng-dev."),
        .trait(
            name: "FFmpeg",
            description: "Encoders, recordings and video files. Needs libavformat-dev and libswscale-dev."
        ),
        .trait(
            name: "View",
            description: "Live pictures in a browser. Needs the traits Snapshot and FFmpeg for pictures and packets.",
            enabledTraits: ["Snapshot"]
        ),
        .trait(name: "Libcamera", description: "Cameras by libcamera. Needs libcamera-dev 0.3 or later."),
        .default(enabledTraits: []),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Without traits: no Foundation.
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // For the trait View alone. Without traits: no configuration files, no Foundation.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    ],
    targets: [
        // C headers: system calls, ioctls and shared-memory layouts that Swift can't import. No logic.
        .target(name: "CLinuxMedia"),
        .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        // FFmpeg's libraries, loaded when they are first used. Without their headers it is empty.
        .target(name: "CFFmpeg", linkerSettings: [.linkedLibrary("dl")]),

        // libyuv, loaded when it is first used. It is compiled without its headers, too.
        .target(name: "CLibYUV", linkerSettings: [.linkedLibrary("dl")]),

        // libcamera, and its C face: no C++ type gets past it. Without the trait it says that it is not built in.
        .systemLibrary(name: "CLibcamera", pkgConfig: "libcamera", providers: [.apt(["libcamera-dev"])]),
        .target(
            name: "LibcameraShim",
            dependencies: [.target(name: "CLibcamera", condition: .when(traits: ["Libcamera"]))],
            cxxSettings: [.define("HAVE_LIBCAMERA", .when(traits: ["Libcamera"]))]
        ),

        // What encoders and decoders have in common: its functions, errors, and names of formats.
        .target(name: "FFmpegBridge", dependencies: ["PixelFormats", ffmpeg]),

        // What FrameShare is measured against by 'frameshare-bench': plain C ways to hand frames over.
        .target(name: "CHandOver", dependencies: ["CLinuxMedia"]),

        .target(name: "PixelFormats"),
        .target(name: "LeaseProtocol", dependencies: ["CLinuxMedia"]),
        .target(name: "FrameMemory", dependencies: ["CLinuxMedia", system]),
        .target(
            name: "FrameShare",
            dependencies: ["CLinuxMedia", "FrameMemory", "LeaseProtocol", "PixelFormats", logging, system]
        ),
        .target(
            name: "FrameSources",
            dependencies: [
                "CLinuxMedia", "FrameJSON", "FrameMemory", "FrameShare", "LibcameraShim", "PixelFormats", turboJPEG,
                ffmpeg, ffmpegBridge, logging, system,
            ]
        ),
        .target(
            name: "FrameSinks",
            dependencies: [
                "CLinuxMedia", "FrameMemory", "FrameShare", "PixelFormats", turboJPEG, png, ffmpeg, ffmpegBridge,
                system,
            ]
        ),
        // Pixels of one size and format made of others: a wish fulfilled once for all who have it.
        .target(
            name: "FrameConversion",
            dependencies: [
                "CLibYUV", "FrameMemory", "FrameShare", "FrameSinks", "LeaseProtocol", "PixelFormats", turboJPEG,
                ffmpeg,
                ffmpegBridge,
            ]
        ),
        // What commands print and the view's server answers as JSON, and reading it.
        .target(name: "FrameJSON", dependencies: ["FrameShare"]),
        // The browser view: a small HTTP server that reads channels. Without the trait it says that it is not built in.
        .target(
            name: "FrameView",
            dependencies: [
                "FrameJSON", "FrameShare", "FrameSinks", "PixelFormats", logging,
                .product(name: "HummingbirdCore", package: "hummingbird", condition: .when(traits: ["View"])),
                .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["View"])),
                .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["View"])),
                .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["View"])),
                .product(name: "HTTPTypes", package: "swift-http-types", condition: .when(traits: ["View"])),
                .product(
                    name: "ServiceLifecycle",
                    package: "swift-service-lifecycle",
                    condition: .when(traits: ["View"])
                ),
            ],
            resources: [.embedInCode("Page")]
        ),
        // Programs that work on frames as members of a group.
        .target(
            name: "FrameWorkers",
            dependencies: ["FrameShare", .product(name: "UnixSignals", package: "swift-service-lifecycle")]
        ),
        .target(name: "FrameShareTestKit", dependencies: ["CLinuxMedia", "FrameShare", "PixelFormats", system]),
        // The C face: frameshare.h with what it needs in C, and its implementation.
        .target(name: "FrameShareCHeader"),
        .target(
            name: "FrameShareC",
            dependencies: ["CLinuxMedia", "FrameMemory", "FrameShareCHeader", "FrameShare", system]
        ),
        // What programs of FrameShare's have in common: arguments, output, signals, exit codes.
        .target(
            name: "FrameCommand",
            dependencies: [
                "CLinuxMedia", "FrameConversion", "FrameJSON", "FrameMemory", "FrameShare", "FrameSinks",
                "LeaseProtocol",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "FrameShareBench",
            dependencies: [
                "CHandOver", "CLinuxMedia", "FrameCommand", "FrameJSON", "FrameMemory", "FrameShare",
                "FrameShareCHeader", "FrameSinks", "LeaseProtocol", "PixelFormats",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "FrameShareCLI",
            dependencies: [
                "FrameShareCHeader", "CLinuxMedia", "FrameCommand", "FrameConversion", "FrameJSON", "FrameMemory",
                "FrameShare", "FrameSinks", "FrameSources", "FrameView", "LeaseProtocol", "PixelFormats", system,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]
        ),

        .testTarget(name: "PixelFormatsTests", dependencies: ["PixelFormats"]),
        .testTarget(name: "LeaseProtocolTests", dependencies: ["LeaseProtocol"]),
        .testTarget(name: "FrameMemoryTests", dependencies: ["FrameMemory", system]),
        // The peers that tests run as processes of their own: a well-behaved one that can be told to misbehave, and one in
        // C that speaks the control protocol by hand and keeps none of its rules.
        .executableTarget(
            name: "frameshare-test-peer",
            dependencies: ["FaultInjector", "FrameShare"],
            path: "Tests/TestPeer"
        ),
        // Makes a chosen system call fail, in the peer that it is linked into.
        .target(name: "FaultInjector", path: "Tests/FaultInjector"),
        // A worker that does what its frames' pixels say.
        .executableTarget(
            name: "frameshare-test-worker",
            dependencies: ["FrameShare", "FrameWorkers"],
            path: "Tests/TestWorker"
        ),
        .executableTarget(name: "frameshare-hostile-peer", dependencies: ["CLinuxMedia"], path: "Tests/HostilePeer"),
        // Starting them, and talking with them.
        .target(name: "PeerTesting", path: "Tests/PeerTesting"),
        // Peers that come, go, stop and die for as long as one likes, with every frame accounted for: make soak.
        .executableTarget(
            name: "frameshare-soak",
            dependencies: ["PeerTesting", "frameshare-test-peer"],
            path: "Tests/Soak"
        ),
        .testTarget(
            name: "FrameShareTests",
            dependencies: [
                "CLinuxMedia", "FrameMemory", "FrameShare", "LeaseProtocol", "PixelFormats", system, logging,
                "PeerTesting", "frameshare-test-peer", "frameshare-test-worker", "frameshare-hostile-peer",
            ]
        ),
        .testTarget(name: "FrameShareTestKitTests", dependencies: ["FrameShareTestKit", "FrameShare"]),
        .testTarget(
            name: "FrameSourcesTests",
            dependencies: [
                "CLinuxMedia", "FrameSources", "FrameShare", "PeerTesting", "PixelFormats", ffmpeg, ffmpegBridge,
                system,
            ]
        ),
        .testTarget(
            name: "FrameSinksTests",
            dependencies: ["FrameSources", "FrameShare", "FrameSinks", "PixelFormats", ffmpeg, ffmpegBridge, system]
        ),
        // Running the built command and reading what it printed.
        .target(name: "CommandTesting", path: "Tests/CommandTesting"),
        .testTarget(
            name: "FrameConversionTests",
            dependencies: [
                "FrameConversion", "FrameShare", "FrameSinks", "FrameSources", "PixelFormats", ffmpeg, ffmpegBridge,
            ]
        ),
        .testTarget(
            name: "FrameShareCLITests",
            dependencies: [
                "CommandTesting", "FrameCommand", "FrameShareBench", "FrameShareCLI", "FrameShare", "FrameSources",
                "PixelFormats", "frameshare-test-worker",
            ],
            exclude: ["Snapshots"]
        ),
        // Nothing without the trait View.
        .testTarget(
            name: "FrameViewTests",
            dependencies: ["CommandTesting", "FrameShare", "FrameShareCLI", "FrameView"]
        ),
        // What 'make install' installs besides: the service, its sandbox, containers, the manual.
        .testTarget(
            name: "PackagingTests",
            dependencies: ["CommandTesting", "FrameShareBench", "FrameShareCLI", "frameshare-hostile-peer"],
            exclude: ["confine"]
        ),
        // Real drivers, in a virtual machine: Tests/Guest/run-suite.
        .testTarget(
            name: "GuestTests",
            dependencies: [
                "CommandTesting", "FrameShare", "FrameSources", "FrameShareCLI", "frameshare-hostile-peer",
            ],
            exclude: ["run-service", "read_frames.c", "read_frames.py"]
        ),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// The same strict settings for every Swift target.
let inC = [
    "CFFmpeg", "CLibYUV", "FrameShareCHeader", "CHandOver", "CLinuxMedia", "FaultInjector", "LibcameraShim",
    "frameshare-hostile-peer",
]
for target in package.targets where !inC.contains(target.name) && target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            // SE-0409: an import is internal unless it says public.
            .enableUpcomingFeature("InternalImportsByDefault"),
            // SE-0444: members are visible only from modules imported in the same file.
            .enableUpcomingFeature("MemberImportVisibility"),
            // SE-0335: any P is written out.
            .enableUpcomingFeature("ExistentialAny"),
            // SE-0461: a nonisolated async function runs on its caller's executor; needed to lend a Frame across await.
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            // Spans that can't outlive their frame.
            .enableExperimentalFeature("Lifetimes"),
        ]
}

// FRAMESHARE_SUITES="FrameShareTests ...": these test targets and what they stand on, and nothing else. A build for a
// sanitizer need not compile what it does not run (Scripts/run-tests).
if let suites = Context.environment["FRAMESHARE_SUITES"] {
    var wanted: Set<String> = []
    var following = suites.split(whereSeparator: \.isWhitespace).map(String.init)
    while let name = following.popLast() {
        guard wanted.insert(name).inserted, let target = package.targets.first(where: { $0.name == name }) else {
            continue
        }
        for dependency in target.dependencies {
            switch dependency {
            case .targetItem(let name, _), .byNameItem(let name, _): following.append(name)
            default: break
            }
        }
    }
    package.targets.removeAll { !wanted.contains($0.name) }
    package.products.removeAll { product in
        let targets = (product as? Product.Executable)?.targets ?? (product as? Product.Library)?.targets ?? []
        return !wanted.isSuperset(of: targets)
    }
}

// The documentation's plugin is a dependency only while documentation is made.
if Context.environment["FRAMESHARE_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
