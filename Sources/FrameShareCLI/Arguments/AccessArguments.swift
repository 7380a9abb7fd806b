import ArgumentParser
import Glibc

/// A socket's mode in octal: `600`, `0660`.
enum ModeArgument {
    static func parse(_ text: String) throws -> UInt32 {
        guard let mode = UInt32(text, radix: 8), mode <= 0o777 else {
            throw ValidationError("give a file mode in octal, such as 0600 (only you) or 0660 (and a group)")
        }
        return mode
    }
}

/// A user, by number or name.
enum UserArgument {
    static func parse(_ text: String) throws -> UInt32 {
        if let number = UInt32(text) { return number }
        guard let entry = getpwnam(text) else {
            throw ValidationError("there is no user of that name; give a number, or a name that 'getent passwd' knows")
        }
        return entry.pointee.pw_uid
    }
}
