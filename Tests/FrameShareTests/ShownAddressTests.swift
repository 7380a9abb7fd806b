import Testing

@testable import FrameShare

@Suite("Addresses that are shown")
struct ShownAddressTests {
    @Test(
        "hide what lets somebody in, and nothing else",
        arguments: [
            ("rtmp://127.0.0.1:1/live", "rtmp://127.0.0.1:1/live"),
            ("rtmp://a.example/live2/abcd-efgh", "rtmp://a.example/live2/***"),
            ("rtmps://me:secret@host/live/door?token=x", "rtmps://***@host/live/***?token=***"),
            ("rtmp://host/live/key live=1 pubUser=me", "rtmp://host/live/*** ***"),
            ("http://host:8080/a/x.m3u8", "http://host:8080/a/x.m3u8"),
            ("http://host/a@b/x.m3u8", "http://host/a@b/x.m3u8"),
            ("http://me:s3cret@host/x.m3u8", "http://***@host/x.m3u8"),
            ("http://me:p@ss@host/x.m3u8", "http://***@host/x.m3u8"),
            ("http://me:p/a?s#s@host/x.m3u8", "http://***@host/x.m3u8"),
            ("http://t0ken@host/x.m3u8", "http://***@host/x.m3u8"),
            ("http://me:%40%2Fx@host/x.m3u8", "http://***@host/x.m3u8"),
            ("http://[::1]:80/x.m3u8", "http://[::1]:80/x.m3u8"),
            ("https://h/x.m3u8?X-Amz-Signature=abc&timeout=5", "https://h/x.m3u8?X-Amz-Signature=***&timeout=5"),
            ("https://h/x.m3u8?%74oken=abc", "https://h/x.m3u8?%74oken=***"),
            ("https://h/x.m3u8?abcdef", "https://h/x.m3u8?***"),
            ("https://h/x.m3u8#abcdef", "https://h/x.m3u8#***"),
            (
                "srt://h:9000?mode=caller&passphrase=0123456789&latency=200",
                "srt://h:9000?mode=caller&passphrase=***&latency=200"
            ),
            ("srt://h:9000?streamid=#!::r=door,u=me", "srt://h:9000?streamid=#***"),
            ("udp://@239.0.0.1:5000?pkt_size=1316", "udp://@239.0.0.1:5000?pkt_size=1316"),
            ("me:secret@host/live", "***@host/live"),
            (
                "[f=flv]rtmp://h/live/key|[f=hls:headers=x]http://u:p@h/x",
                "[f=flv]rtmp://h/live/***|[***]http://***@h/x"
            ),
            ("async:rtmp://me:secret@host/live/key", "async:rtmp://***@host/live/***"),
            ("cache:async:http://me:secret@host/x", "cache:async:http://***@host/x"),
            ("crypto+http://me:secret@host/x", "crypto+http://***@host/x"),
            ("crypto:rtmp://host/live/key", "crypto:rtmp://host/live/***"),
            ("subfile,,start,1,end,2,,:rtmp://host/live/key", "subfile,,start,1,end,2,,:rtmp://host/live/***"),
            ("concat:http://me:secret@a/x|http://me:secret@b/x", "concat:http://***@a/x|http://***@b/x"),
            ("cache://rtmp://me:secret@host/live/key", "cache://rtmp://***@host/live/***"),
            ("rtsp:/me:secret@host/x", "rtsp:/***@host/x"), ("rtsp:me:secret@host/x", "rtsp:***@host/x"),
            ("RTMP:host/live/key", "RTMP:host/live/***"),
            ("async:srt:host:9?passphrase=x", "async:srt:host:9?passphrase=***"),
            ("rtsp://me:secret%40host/x", "rtsp://***%40host/x"),
            ("rtsp://me%3Asecret%40host/x", "rtsp://***%40host/x"),
            ("srt://h:9?mode=caller;passphrase=x", "srt://h:9?mode=caller;passphrase=***"),
            ("srt://h:9?MODE=caller&PassPhrase=x", "srt://h:9?MODE=caller&PassPhrase=***"),
            ("srt://h:9?mode=caller%26passphrase%3Dx", "srt://h:9?mode=***"),
            ("srt://h:9?mode=caller,passphrase=x", "srt://h:9?mode=***"),
            ("http://h/x;token=abc/y.m3u8", "http://h/x;token=***/y.m3u8"),
            ("http://h/x.m3u8;jsessionid=abc?timeout=5", "http://h/x.m3u8;jsessionid=***?timeout=5"),
            ("http://h/x.m3u8|Cookie=abc&User-Agent=x", "http://h/x.m3u8|***"),
            ("rtmp://h/live/key#frag", "rtmp://h/live/***#***"),
            ("rtsp://me:sec|ret@host/x", "rtsp://me:***|***@host/x"),
            ("rtsp://me:secret", "rtsp://me:***"), ("http://h:8080,h2/x", "http://h:8080,h2/x"),
            ("[f=flv]'rtmp://host/live/KEY'", "[f=flv]'rtmp://host/live/***'"),
            (
                "[f=flv] \\rtmp://host/live/KEY|[f=flv]\"rtmp://b/live/KEY\"",
                "[f=flv] \\rtmp://host/live/***|[f=flv]\"rtmp://b/live/***\""
            ),
            ("udp://h:1| rtmp://host/live/KEY", "udp://h:1| rtmp://host/live/***"),
            ("tee:[rtmp_live=1]rtmp://host/live/KEY", "tee:[***]rtmp://host/live/***"),
            ("tee:[x=1]rtmp://me:pw@host/live/KEY", "tee:[***]rtmp://***@host/live/***"),
            ("me:secret@rtmp://host/live/KEY", "***@rtmp://host/live/***"),
            ("http://h/x.m3u8|Referer=http://site/&Cookie=abc", "http://h/x.m3u8|***"),
            ("async:/tmp/x.ts", "async:/tmp/x.ts"), ("12:30.ts", "12:30.ts"), ("file:a:b.ts", "file:a:b.ts"),
            ("door", "door"), ("/tmp/a#b?c=d@e.ts", "/tmp/a#b?c=d@e.ts"), ("", ""), ("://", "://"),
        ]
    )
    func table(address: String, shown: String) {
        #expect(ShownAddress(address).description == shown)
    }

    @Test(
        "in a word of a command line go on to its end",
        arguments: [
            ("srt://[::1]:9000?passphrase=KEY", "srt://[::1]:9000?passphrase=***"),
            ("rtmp://[2001:db8::1]/live/KEY", "rtmp://[2001:db8::1]/live/***"),
            ("--output=https://[::1]/x.m3u8?token=KEY", "--output=https://[::1]/x.m3u8?token=***"),
            ("rtmp://host/live/KEY live=1 pubPasswd=KEY", "rtmp://host/live/*** ***"),
            ("rtsp://me:K EY@h/x", "rtsp://***@h/x"), ("-irtsp://me:K'EY@h/x", "-irtsp://***@h/x"),
            ("[f=hls:headers=Cookie KEY]http://u:KEY@h/x", "[***]http://***@h/x"),
            ("tee:[x=1]'rtmp://me:KEY@host/live/KEY'", "tee:[***]'rtmp://***@host/live/***'"),
            ("--output=[f=hls:headers=Cookie KEY]http://u:KEY@h/x", "--output=[***]http://***@h/x"),
            ("/tmp/12:30 x.ts", "/tmp/12:30 x.ts"), ("--size=64x48", "--size=64x48"), ("", ""),
        ]
    )
    func words(word: String, shown: String) {
        #expect(ShownAddress.redacting(word: word) == shown)
    }

    @Test("take what is secret out of texts of others, raw, decoded, and in addresses that they made of it")
    func redacting() {
        let address = ShownAddress("http://me:s%3Acret@host/x.m3u8?key=Abc", others: ["Bearer xyz"])
        let text = address.redacting(
            "Failed to open 'http://me:s%3Acret@host/x0.ts?key=Abc': s:cret, s%3Acret, Bearer xyz, http://u:p@other/"
        )
        for secret in ["cret", "Abc", "xyz", "u:p"] { #expect(!text.contains(secret), "\(text)") }
        #expect(text.contains("host/x0.ts"))
        #expect(text.contains("other/"))
        #expect(ShownAddress.redacting("no address: a/b") == "no address: a/b")
        #expect(
            ShownAddress.redacting("tcp: no answer; async:rtsp:/me:secret@h/x: refused")
                == "tcp: no answer; async:rtsp:/***@h/x: refused"
        )
        #expect(
            ShownAddress.redacting("(see [https://[::1]:8/x?token=abc]) srt://[::1]:9?passphrase=abc.")
                == "(see [https://[::1]:8/x?token=***]) srt://[::1]:9?passphrase=***."
        )
        #expect(ShownAddress.redacting("-i RTSP:me:secret@h.") == "-i RTSP:***@h.")
        #expect(ShownAddress(file: "me@home.mp4").description == "me@home.mp4")
    }
}

@Suite("Names that are no UTF-8")
struct PathTextTests {
    @Test("come back byte by byte, whatever they are, and are shown so that a person can tell")
    func roundTrip() {
        let names: [[UInt8]] = [
            Array("door.mp4".utf8), Array("grün 🎥".utf8), [0xE9, 0x2E, 0x6D], [0xFF, 0xFE], [0xC3], [0xE2, 0x82],
            [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x8E], Array("\u{F7E9}".utf8), Array("e\u{301}".utf8), [],
        ]
        for name in names {
            let back = PathText.cString(PathText.text(name)).map { UInt8(bitPattern: $0) }
            #expect(back == name + [0])
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let name = (0..<Int.random(in: 0...12, using: &random)).map { _ in UInt8.random(in: 1...255, using: &random)
            }
            #expect(PathText.cString(PathText.text(name)).map { UInt8(bitPattern: $0) } == name + [0])
        }
        #expect(PathText.text(Array("grün".utf8)) == "grün")
        #expect(PathText.shown(PathText.text([0x61, 0xE9])) == "a\\xE9")
    }
}
