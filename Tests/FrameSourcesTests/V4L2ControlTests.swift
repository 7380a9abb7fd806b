import CLinuxMedia
import Testing

@testable import FrameSources

@Suite("V4L2 controls: what is shown can be set")
struct V4L2ControlTests {
    private func control(
        _ type: v4l2_ctrl_type,
        _ range: ClosedRange<Int64>,
        items: [V4L2Control.Item] = [],
        dimensions: UInt32 = 0
    ) -> V4L2Control {
        var query = v4l2_query_ext_ctrl()
        query.type = type.rawValue
        (query.minimum, query.maximum, query.step) = (range.lowerBound, range.upperBound, 1)
        query.nr_of_dims = dimensions
        return V4L2Control(query, items: items)
    }

    /// The number that a control is set to by the text that shows the number.
    private func shownAndSet(_ control: V4L2Control, _ number: Int64) -> Int64? {
        let shown: V4L2ControlValue = control.kind == .boolean ? .boolean(number != 0) : .integer(number)
        return control.number(for: .text(shown.text))
    }

    @Test("an integer menu whose entries are called by the numbers of others")
    func integerMenu() {
        // Vivid's: item 5 stands for 8, item 4 for 5, ...
        let items = [1, 1, 2, 3, 5, 8, 13, 21, 42].enumerated().map {
            V4L2Control.Item(index: Int64($0), text: "\($1)")
        }
        let menu = control(V4L2_CTRL_TYPE_INTEGER_MENU, 0...8, items: items)
        for item in items { #expect(shownAndSet(menu, item.index) == item.index, "\(item)") }
        // What is no entry's number may be its name.
        #expect(menu.number(for: .text("21")) == 7)
        #expect(menu.number(for: .text("9")) == nil)
        #expect(menu.number(for: .text("")) == nil)
    }

    @Test("a menu with gaps, and with names that look like numbers")
    func menu() {
        let items = [(0, "Off"), (2, "1"), (3, "50 Hz"), (-1, "0x2"), (7, "Auto, Slow")].map {
            V4L2Control.Item(index: Int64($0), text: $1)
        }
        let menu = control(V4L2_CTRL_TYPE_MENU, -1...7, items: items)
        for item in items { #expect(shownAndSet(menu, item.index) == item.index, "\(item)") }
        #expect(menu.number(for: .text("1")) == 2)
        #expect(menu.number(for: .text("off")) == 0)
        #expect(menu.number(for: .text("auto_slow")) == 7)
        #expect(menu.number(for: .text("4")) == nil)
        #expect(menu.number(for: .integer(1)) == nil)
    }

    @Test("integers of 32 and 64 bits, to their ends")
    func integers() {
        let narrow = control(V4L2_CTRL_TYPE_INTEGER, Int64(Int32.min)...Int64(Int32.max))
        for number in [0, -1, 17, Int64(Int32.min), Int64(Int32.max)] { #expect(shownAndSet(narrow, number) == number) }
        let wide = control(V4L2_CTRL_TYPE_INTEGER64, Int64.min...Int64.max)
        for number in [0, -1, Int64.min, Int64.max] { #expect(shownAndSet(wide, number) == number) }
        #expect(narrow.number(for: .text("2147483648")) == nil)
        for text in ["", " ", "1.5", "one", "9223372036854775808", "1,2", "0x"] {
            #expect(wide.number(for: .text(text)) == nil, "\(text)")
        }
    }

    @Test("bits, also the highest")
    func bitmask() {
        let bits = control(V4L2_CTRL_TYPE_BITMASK, 0...0x8000_2000)
        for number in [0, 0x2000, 0x8000_0000, 0x8000_2000] as [Int64] { #expect(shownAndSet(bits, number) == number) }
        #expect(bits.number(for: .text("0x80002000")) == 0x8000_2000)
        #expect(bits.number(for: .text("1")) == nil)
        // The kernel may extend the sign.
        let signed = control(V4L2_CTRL_TYPE_BITMASK, -0x7fff_e000 ... -0x7fff_e000)
        #expect(signed.range == 0...0x8000_2000)
    }

    @Test("switches, buttons, texts, and what has no single value")
    func others() {
        let toggle = control(V4L2_CTRL_TYPE_BOOLEAN, 0...1)
        #expect(shownAndSet(toggle, 0) == 0 && shownAndSet(toggle, 1) == 1)
        #expect(toggle.number(for: .text("2")) == nil)
        #expect(control(V4L2_CTRL_TYPE_BUTTON, 0...0).number(for: .text("")) == 0)
        for text in ["", "  ", "a'b", "'quoted'", "5"] { #expect(V4L2ControlValue.text(text).text == text) }
        #expect(control(V4L2_CTRL_TYPE_STRING, 0...4).kind == .text)
        for type in [V4L2_CTRL_TYPE_U8, V4L2_CTRL_TYPE_U16, V4L2_CTRL_TYPE_U32] {
            #expect(control(type, 0...9, dimensions: 1).kind == .compound)
        }
        #expect(control(V4L2_CTRL_TYPE_INTEGER, 0...9, dimensions: 2).kind == .compound)
        #expect(control(V4L2_CTRL_TYPE_INTEGER, 0...9, dimensions: 2).number(for: .text("1")) == nil)
    }
}
