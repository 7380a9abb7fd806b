import FrameCommand
import FrameJSON
import FrameSources
import PixelFormats

/// All that a camera says of itself.
struct CameraDescription {
    struct Size {
        var text: String
        var rates: String
    }

    struct Format {
        var format: V4L2Format
        var sizes: [Size]
    }

    let info: V4L2DeviceInfo
    /// What it can be connected to, in order, and which of them is chosen.
    let inputs: [String]
    let input: Int?
    let formats: [Format]
    let controls: [(control: V4L2Control, value: String?)]

    init(_ device: V4L2Device) throws(V4L2Error) {
        info = device.info
        inputs = (try? device.inputs()) ?? []
        input = (try? device.input()) ?? nil
        var formats: [Format] = []
        for format in try device.formats() {
            formats.append(Format(format: format, sizes: Self.sizes(device, format.code)))
        }
        self.formats = formats
        controls = ((try? device.controls()) ?? []).map { control in
            (control, (try? device.value(of: control))?.text)
        }
    }

    private static func sizes(_ device: V4L2Device, _ code: FourCC) -> [Size] {
        guard let sizes = try? device.sizes(of: code) else { return [] }
        switch sizes {
        case .discrete(let list):
            return list.map { size in
                Size(text: "\(size)", rates: (try? device.intervals(of: code, size: size)).map { "\($0)" } ?? "unknown")
            }
        case .stepwise(_, let most, _):
            let rates = (try? device.intervals(of: code, size: most)).map { "\($0)" } ?? "unknown"
            return [Size(text: "\(sizes)", rates: rates)]
        case .unknown:
            return []
        }
    }

    var lines: [StyledText] {
        var lines: [StyledText] = [
            StyledText(info.path, .bold) + "  \(info.card) (\(info.driver), \(info.bus))"
                + (info.isMultiPlanar ? ", multi-planar" : "")
        ]
        if info.needsMediaController {
            lines.append(
                "  " + StyledText("its sensor is set up through the media controller: use libcamera", .yellow)
            )
        }
        if inputs.count > 1 {
            for (number, name) in inputs.enumerated() {
                lines.append("  --input \(number)  \(name)" + (number == input ? ", chosen" : ""))
            }
        }
        for entry in formats {
            let code = "\(entry.format.code)"
            let name =
                entry.format.refusal(path: info.path).map { "not to be had: \($0)" } ?? entry.format.format?.name
                ?? code
            lines.append(
                "  \(code.contains(" ") ? Self.quoted(code) : code)  \(entry.format.text)"
                    + (code == name ? "" : ", \(name)") + (entry.format.isEmulated ? ", converted in software" : "")
            )
            for size in entry.sizes { lines.append("    \(size.text)  at \(size.rates)") }
        }
        for (control, value) in controls where control.kind != .compound {
            let value = control.kind == .text ? value.map(Self.quoted) : value
            lines.append(
                "  --control \(control.key)=\(value ?? (control.kind == .button ? "1" : "?"))  \(control.allowedText)"
                    + (control.isReadOnly ? ", read-only" : "") + (control.isInactive ? ", inactive now" : "")
            )
        }
        return lines
    }

    /// A text as a shell takes it.
    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    var json: JSONValue {
        .object([
            "path": .string(info.path), "card": .string(info.card), "driver": .string(info.driver),
            "bus": .string(info.bus), "multi_planar": .bool(info.isMultiPlanar),
            "needs_media_controller": .bool(info.needsMediaController),
            "inputs": .array(
                inputs.enumerated().map { number, name in
                    .object([
                        "number": .number(number), "name": .string(name), "chosen": .bool(number == input),
                    ])
                }
            ),
            "formats": .array(
                formats.map { entry in
                    .object([
                        "code": .string("\(entry.format.code)"), "text": .string(entry.format.text),
                        "name": (entry.format.format?.name).map(JSONValue.string),
                        "refused": entry.format.refusal(path: info.path).map { .string("\($0)") },
                        "emulated": .bool(entry.format.isEmulated),
                        "sizes": .array(
                            entry.sizes.map { .object(["size": .string($0.text), "rates": .string($0.rates)]) }
                        ),
                    ])
                }
            ),
            "controls": .array(
                controls.map { control, value in
                    .object([
                        "name": .string(control.key), "title": .string(control.name),
                        "value": value.map(JSONValue.string), "allowed": .string(control.allowedText),
                        "default": .number(control.defaultValue), "read_only": .bool(control.isReadOnly),
                        "inactive": .bool(control.isInactive),
                    ])
                }
            ),
        ])
    }
}
