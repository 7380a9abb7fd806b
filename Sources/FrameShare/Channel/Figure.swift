/// A number of the statistics, described in one place. The wire, JSON, C's structs, Python's classes, metrics, what `list` and
/// `top` say, and the view's page follow from it.
///
/// Figures travel in the order of their list. So a new one goes to the end: an older reader skips it, and for a newer reader
/// the figures of an older publisher keep their places.
package struct Figure<Of>: Sendable {
    /// The name of C's member and of Python's attribute.
    package let name: String
    /// Where JSON has it: keys from the outside in, joined by ".".
    package let json: String
    /// One sentence about it.
    package let about: String
    /// How it is shown as a metric; nil: not at all.
    package let metric: Metric?
    /// What `list` and `top` say after the number, where it isn't 0; nil: they have a place of its own for it, or none.
    package let note: String?
    /// Whether it says yes or no.
    package let isFlag: Bool
    private let get: @Sendable (Of) -> Int128
    private let set: @Sendable (inout Of, UInt64) -> Bool

    /// A metric of Prometheus. Several figures may be one metric with different labels.
    package struct Metric: Sendable {
        package let name: String
        package let isCounter: Bool
        package let label: (key: String, value: String)?
        /// Nil: what the figure says about itself.
        package let about: String?

        package static func counter(
            _ name: String,
            _ label: (key: String, value: String)? = nil,
            about: String? = nil
        ) -> Metric {
            Metric(name: name, isCounter: true, label: label, about: about)
        }

        package static func gauge(
            _ name: String,
            _ label: (key: String, value: String)? = nil,
            about: String? = nil
        ) -> Metric {
            Metric(name: name, isCounter: false, label: label, about: about)
        }
    }

    /// A figure that counts or measures.
    /// - Parameter limit: the most that is believed of a peer
    init<Value: FixedWidthInteger & Sendable>(
        _ name: String,
        _ path: any WritableKeyPath<Of, Value> & Sendable,
        json: String? = nil,
        about: String,
        metric: Metric? = nil,
        note: String? = nil,
        limit: Value = Value.self == Int.self ? 1 << 32 : .max
    ) {
        (self.name, self.json, self.about, self.metric, self.note) = (name, json ?? name, about, metric, note)
        isFlag = false
        get = { Int128($0[keyPath: path]) }
        set = { of, bits in
            let value = Value(truncatingIfNeeded: bits)
            // As it was written: neither cut off nor beyond what is believed.
            guard UInt64(truncatingIfNeeded: value) == bits, value <= limit, Value.self != Int.self || value >= 0 else {
                return false
            }
            of[keyPath: path] = value
            return true
        }
    }

    /// A figure that says yes or no.
    init(_ name: String, _ path: any WritableKeyPath<Of, Bool> & Sendable, json: String? = nil, about: String) {
        (self.name, self.json, self.about, metric, note) = (name, json ?? name, about, nil, nil)
        isFlag = true
        get = { $0[keyPath: path] ? 1 : 0 }
        set = { of, bits in
            of[keyPath: path] = bits == 1
            return bits <= 1
        }
    }

    package func value(_ of: Of) -> Int128 { get(of) }

    /// Puts the number that a peer sent; false: it can't be.
    func put(_ bits: UInt64, into of: inout Of) -> Bool { set(&of, bits) }
}
