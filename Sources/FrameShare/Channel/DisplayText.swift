extension String {
    /// The text as it may be shown to a person. Names and messages come from other processes, devices and files: raw, they
    /// could give orders to a terminal, forge lines, or hide and turn around what stands beside them.
    ///
    /// Whatever is invisible, or more than itself, becomes `\n`, `\t` or `\u{1b}`. A text that is escaped stays as it is when
    /// it is escaped again.
    package var displayText: String {
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return self }
        var text = ""
        for scalar in unicodeScalars {
            if scalar.isDisplayable {
                text.unicodeScalars.append(scalar)
            } else {
                switch scalar {
                case "\n": text += "\\n"
                case "\r": text += "\\r"
                case "\t": text += "\\t"
                default: text += "\\u{" + String(scalar.value, radix: 16) + "}"
                }
            }
        }
        return text
    }
}

extension Unicode.Scalar {
    /// Whether it shows as itself, and does nothing else: no control character (C0, DEL, C1), no direction or other format
    /// character, no line separator, nothing of no width but marks that belong to a letter, and nothing unassigned.
    package var isDisplayable: Bool {
        if value < 0x7F { return value >= 0x20 }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return !properties.isDefaultIgnorableCodePoint
        }
    }
}
