import ArgumentParser
import FrameCommand
import FrameShare
import PixelFormats

/// What a command wants of a stream's pixels.
struct WishOptions: ParsableArguments {
    @Option(
        help: .init("In pixels; 640x or x360 keeps the shape. Left out: as it is.", valueName: "WxH"),
        transform: WishedSize.parse
    )
    var size: WishedSize?

    @Option(
        help: .init("Such as RGB888, YUV420, R8. Left out: as it is.", valueName: "name"),
        transform: WishedFormat.parse
    )
    var format: PixelFormat?

    @OptionGroup var wanted: RateOption

    @OptionGroup var geometry: WishGeometry

    var wish: Wish { geometry.wish(size, format, wanted.rate) }
}

/// Which part of the pixels, turned how.
struct WishGeometry: ParsableArguments {
    @Option(
        help: .init("Only this part, in the original's pixels.", valueName: "WxH+X+Y"),
        transform: WishedCrop.parse
    )
    var crop: Crop?

    @Option(help: .init("Clockwise: 90, 180 or 270.", valueName: "degrees"), transform: WishedRotation.parse)
    var rotate: Wish.Rotation?

    @Flag(help: "Left and right change places, after --rotate.")
    var mirror = false

    @Option(
        help: .init("How sizes are changed: area, bilinear or nearest.", valueName: "filter"),
        transform: WishedFilter.parse
    )
    var filter: Wish.Filter = .area

    func wish(_ size: WishedSize?, _ format: PixelFormat?, _ rate: Double?) -> Wish {
        Wish(
            width: size?.width,
            height: size?.height,
            format: format,
            rate: rate,
            crop: crop,
            rotation: rotate ?? .none,
            mirror: mirror,
            filter: filter
        )
    }
}

/// `640x360`, `640x`, `x360`.
struct WishedSize: Sendable, Hashable {
    var width: Int?
    var height: Int?

    static func parse(_ text: String) throws -> WishedSize {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false).map(String.init)
        var size = WishedSize()
        guard parts.count == 2, parts != ["", ""] else { throw hint }
        if !parts[0].isEmpty {
            guard let width = Int(parts[0]) else { throw hint }
            size.width = width
        }
        if !parts[1].isEmpty {
            guard let height = Int(parts[1]) else { throw hint }
            size.height = height
        }
        try checked(Wish(width: size.width, height: size.height))
        return size
    }

    private static var hint: ValidationError {
        ValidationError("give WIDTHxHEIGHT in pixels, such as 640x360, 640x or x360")
    }
}

enum WishedFormat {
    static func parse(_ text: String) throws -> PixelFormat {
        guard let format = PixelFormat(name: text) else { throw ValidationError("\(WishError.format(text))") }
        try checked(Wish(format: format))
        return format
    }
}

enum WishedCrop {
    static func parse(_ text: String) throws -> Crop {
        guard let crop = Crop(text) else {
            throw ValidationError("give WIDTHxHEIGHT+X+Y in pixels, such as 640x480+320+0")
        }
        try checked(Wish(crop: crop))
        return crop
    }
}

enum WishedRotation {
    static func parse(_ text: String) throws -> Wish.Rotation {
        guard let rotation = Int(text).flatMap(Wish.Rotation.init(rawValue:)) else {
            throw ValidationError("give 90, 180 or 270")
        }
        return rotation
    }
}

enum WishedFilter {
    static func parse(_ text: String) throws -> Wish.Filter {
        guard let filter = Wish.Filter(rawValue: text) else { throw ValidationError("give area, bilinear or nearest") }
        return filter
    }
}

private func checked(_ wish: Wish) throws {
    do { try wish.check() } catch { throw ValidationError("\(error)") }
}

extension Subscriber {
    /// Subscribes to what is wanted of a stream: as it is, or converted.
    static func ofOneStream(
        channel: String,
        stream: String?,
        wish: Wish,
        policy: Policy,
        name: String
    ) throws -> Subscriber {
        guard wish.asksForPixels else {
            return try ofOneStream(channel: channel, stream: stream, policy: policy, name: name, atMost: wish.rate)
        }
        var options = Options()
        options.name = name
        return try Subscriber(channel: channel, wanting: wish, stream: stream, policy: policy, options: options)
    }
}
