import PixelFormats
import Testing

@Suite("FourCC")
struct FourCCTests {
    @Test(
        "reads and writes codes as the kernel's tools print them",
        arguments: [
            ("YUYV", 0x5659_5559), ("Y16", 0x2036_3159), ("Y16 -BE", 0xa036_3159), ("R8", 0x2020_3852),
            ("pgAA", 0x4141_6770), ("0x00000001", 0x0000_0001),
        ] as [(String, UInt32)]
    )
    func textBothWays(text: String, number: UInt32) {
        #expect(FourCC(text)?.rawValue == number)
        #expect(FourCC(rawValue: number).description == text)
    }

    @Test("fills a short code with spaces, also before the big-endian mark")
    func shortCodes() {
        #expect(FourCC("Y16 ") == FourCC("Y16"))
        #expect(FourCC("Y16-BE") == FourCC("Y16 -BE"))
        #expect(FourCC("Y16 -BE")?.isBigEndian == true)
        #expect(FourCC("Y16")?.bigEndian == FourCC("Y16 -BE"))
    }

    @Test("refuses what is no code", arguments: ["", "YUYV2", "ä", "YUY\u{7f}", "YUYVV-BE", "0x123", "0x0000000g"])
    func refused(text: String) {
        #expect(FourCC(text) == nil)
    }

    @Test("any number survives being written and read")
    func everyNumber() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            // Half of them of letters and spaces only, else hardly any would be printable.
            var number = random.next() as UInt32
            if Bool.random(using: &random) {
                let letters: [UInt32] = [0x20, 0x41, 0x2d, 0x42, 0x45, 0x78]
                for _ in 0..<4 { number = number << 8 | (letters.randomElement(using: &random) ?? 0x30) }
                if Bool.random(using: &random) { number |= 1 << 31 }
            }
            let code = FourCC(rawValue: number)
            #expect(FourCC(code.description) == code, "\(number)")
        }
    }
}
