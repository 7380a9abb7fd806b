import FrameJSON
import Testing

/// What is read as JSON is what RFC 8259 calls so.
@Suite("JSON that is read", .timeLimit(.minutes(10)))
struct JSONTextTests {
    @Test(
        "what other notations call a number, and what no Double holds, is refused",
        arguments: [
            "nan", "NaN", "inf", "-inf", "Infinity", "+5", "0x10", "0b1", "0o7", "05", "-05", "1.", ".5", "-", "--1",
            "1e",
            "1e+", "1.5.2", "1_000", "1e999", "-1e999", "0x1p3", "1e5.0", "١", "1 2", "",
        ]
    )
    func noNumbers(text: String) {
        #expect(JSONText(text.utf8) == nil)
        #expect(JSONText("{\"a\":\(text)}".utf8) == nil)
    }

    @Test("numbers are read as they are written")
    func numbers() {
        let wanted: [(String, JSONText)] = [
            ("0", .integer(0)), ("-0", .integer(0)), ("10", .integer(10)), ("0.5", .number(0.5)),
            ("-0.0", .number(-0.0)),
            ("1e3", .number(1000)), ("1E-2", .number(0.01)), ("-1.5e+2", .number(-150)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1e-999", .number(0)),
        ]
        for (text, value) in wanted { #expect(JSONText(text.utf8) == value, "\(text)") }
    }

    @Test(
        "a text with a raw control character, an escape that JSON has not, or half of a pair is refused",
        arguments: [
            #""\x41""#, #""\a""#, "\"\u{1}\"", "\"\n\"", #""\u12""#, #""\u-001""#, #""\u+001""#, #""\ud800""#, #""\"#,
        ]
    )
    func noTexts(text: String) {
        #expect(JSONText(text.utf8) == nil)
    }

    @Test("escapes are read, pairs of UTF-16 among them")
    func texts() {
        #expect(JSONText(#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00é""#.utf8) == .string("\"\\/\u{8}\u{c}\n\r\tA😀é"))
    }

    @Test(
        "numbers in options, addresses and headers are decimal",
        arguments: [
            "nan", "NaN", "inf", "-inf", "infinity", "+5", "0x10", "0x1p3", "0b1", "-", "--1", "-+1", "1e", "1e+",
            "1.5.2",
            "1_000", "1e999", "١", "1 2", " 1", "1 ", "e5", ".", "-.", "",
        ]
    )
    func noDecimals(text: String) {
        #expect(DecimalText.number(text) == nil && DecimalText.integer(text) == nil)
    }

    @Test("decimal numbers are read as people write them")
    func decimals() {
        let wanted: [(String, Double)] = [
            ("0", 0), ("05", 5), ("-3", -3), ("29.97", 29.97), (".5", 0.5), ("5.", 5), ("1e-3", 0.001), ("2E+2", 200),
        ]
        for (text, value) in wanted { #expect(DecimalText.number(text) == value, "\(text)") }
        let whole: [(String, Int?)] = [
            ("0", 0), ("007", 7), ("-3", -3), ("9223372036854775807", .max), ("9223372036854775808", nil), ("1.5", nil),
            ("1e3", nil),
        ]
        for (text, value) in whole { #expect(DecimalText.integer(text) == value, "\(text)") }
    }
}
