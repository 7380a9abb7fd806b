public import FrameShare
internal import LibcameraShim
internal import Synchronization
internal import SystemPackage

/// libcamera's camera manager, of which a process has one. It runs as long as anyone holds this or one of its cameras.
///
/// ```swift
/// let system = try LibcameraSystem()
/// for camera in system.cameras { print(camera.id, camera.properties["Model"] ?? "") }
/// ```
///
/// May be used from any thread.
public final class LibcameraSystem: Sendable {
    /// The manager of this process, and how many hold it.
    private struct Shared: ~Copyable {
        // Used under the lock alone, which is what makes it one thread's at a time.
        nonisolated(unsafe) var manager: OpaquePointer?
        var holders = 0
    }
    private static let shared = Mutex(Shared(manager: nil))

    /// libcamera's version such as "0.3.2"; nil where this build is without it.
    public static var version: String? {
        let version = String(cString: fs_lc_version())
        return version.isEmpty ? nil : version
    }

    /// Starts libcamera, or takes part in what runs already.
    /// - Throws: `notBuiltIn`, `cannotStart`.
    public init() throws(LibcameraError) {
        guard Self.version != nil else { throw .notBuiltIn }
        let result: Int32 = Self.shared.withLock { shared in
            var result: Int32 = 0
            if shared.holders == 0 { result = fs_lc_manager_start(&shared.manager, nil) }
            if result == 0 { shared.holders += 1 }
            return result
        }
        guard result == 0 else { throw .cannotStart(Errno(rawValue: -result)) }
    }

    deinit {
        Self.shared.withLock { shared in
            shared.holders -= 1
            guard shared.holders == 0 else { return }
            fs_lc_manager_stop(shared.manager)
            shared.manager = nil
        }
    }

    /// Runs `body` with the manager, which nobody else uses meanwhile.
    func withManager<T, E: Error>(_ body: (OpaquePointer) throws(E) -> sending T) throws(E) -> sending T {
        try Self.shared.withLock { shared throws(E) in
            guard let manager = shared.manager else { preconditionFailure("held by self, so it runs") }
            return try body(manager)
        }
    }

    /// The ids of the cameras that are there now, in libcamera's order.
    public var cameraIDs: [String] {
        withManager { manager in
            (0..<fs_lc_camera_count(manager)).compactMap { i in
                fs_lc_camera_id(manager, i).map { String(cString: $0) }
            }
        }
    }

    /// The cameras that are there now, with what they say of themselves.
    public var cameras: [LibcameraInfo] { cameraIDs.compactMap { info(of: $0) } }

    /// What a camera says of itself; nil if there is none of that id.
    public func info(of id: String) -> LibcameraInfo? {
        withManager { manager in
            let properties = LibcameraValues.collect { fs_lc_properties(manager, id, $0, $1) }
            let controls = LibcameraControl.collect { fs_lc_camera_controls(manager, id, $0, $1) }
            guard let properties, let controls else { return nil }
            return LibcameraInfo(id: id, properties: properties, controls: controls)
        }
    }
}

/// What a camera says of itself.
public struct LibcameraInfo: Sendable, Hashable {
    /// libcamera's id, which stays the same while the camera stays in its place.
    public let id: String
    /// By libcamera's names: Model, Location (0 front, 1 back, 2 external), Rotation (degrees), PixelArraySize, ...
    public let properties: Metadata
    /// What can be set, by libcamera's names.
    public let controls: [LibcameraControl]

    /// The sensor's or camera's model, where it is known.
    public var model: String? { properties["Model"]?.text }
}

/// A control that a camera has.
public struct LibcameraControl: Sendable, Hashable {
    public let name: String
    /// What kind of value it takes; one that takes several has them with commas between.
    public let kind: CameraControl.Kind
    /// As libcamera writes them.
    public let minimum: String
    public let maximum: String
    public let standard: String

    private final class List { var controls: [LibcameraControl] = [] }

    /// Gathers what `body` tells a callback; nil when it fails.
    static func collect(_ body: (fs_lc_controls, UnsafeMutableRawPointer) -> Int32) -> [LibcameraControl]? {
        let list = List()
        let result = body(
            { context, control in
                guard let context, let control = control?.pointee else { return }
                Unmanaged<List>.fromOpaque(context).takeUnretainedValue().controls.append(
                    LibcameraControl(
                        name: String(cString: control.name),
                        kind: LibcameraValues.kind(control.type),
                        minimum: String(cString: control.minimum),
                        maximum: String(cString: control.maximum),
                        standard: String(cString: control.standard)
                    )
                )
            },
            Unmanaged.passUnretained(list).toOpaque()
        )
        return result < 0 ? nil : list.controls.sorted { $0.name < $1.name }
    }
}
