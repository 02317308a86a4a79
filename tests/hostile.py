"""What people with bad intentions type, and what stores print."""

HOSTS = (
    # loopback, in every spelling that some parser somewhere takes
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1"),
    *("0177.0.0.1", "017700000001", "0x7f.0x0.0x0.0x1", "127.0.0.1.", "0", "0.0.0.0", "0.1.2.3"),  # noqa: S104
    *("①②⑦.⓪.⓪.①", "\uff11\uff12\uff17.0.0.1", "127。0。0。1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]"),
    # private, shared, link-local and the metadata services of clouds
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.1.1", "0xa9fea9fe"),
    *("2852039166", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]"),
    *("[fd00:ec2::254]", "[fdff::1]", "[fec0::1]", "192.0.0.192", "168.63.129.16"),
    # a zone is a network card of this machine, whatever address it comes with
    *("[2001:4860:4860::8888%25eth0]", "[::ffff:8.8.8.8%251]", "[::1%251]", "[::%1]"),
    # tunnels and translations
    *("[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]"),
    *("[2002:a9fe:a9fe::]", "[2001:0:53aa:64c::80ff:fffe]", "192.88.99.1"),
    *("[2002:808:808::1]", "[::8.8.8.8]", "[64:ff9b:1::808:808]", "[64:ff9b::a00:1]"),
    # documentation, benchmarks, protocols, multicast, reserved
    *("192.0.0.9", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255"),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "[ff02::1]", "[2001:db8::1]", "[2001:2::1]", "[2001:10::1]"),
    *("[3fff::1]", "[5f00::1]", "[100::1]", "[4000::1]", "[2620:4f:8000::1]"),
)
_PORTS = (22, 25, 110, 143, 445, 465, 587, 3306, 5432, 5672, 6379, 11211, 27017, 0)

PRIVATE_URLS: tuple[str, ...] = (
    *(f"http://{host}/" for host in HOSTS),
    *(f"http://8.8.8.8:{port}/" for port in _PORTS),
    *("http://example.org:6379/", "https://127.0.0.1:8443/", "HTTP://127.0.0.1"),
    *("http://127.0.0.1#@example.org/", "http://127.0.0.1?@example.org/"),
)
BAD_URLS: tuple[str, ...] = (
    *("", "x", "//example.org/", "http://", "http:///x", "http:example.org", "http://:80/"),
    *("file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://example.org/", "dict://x:1/"),
    *("javascript:alert(1)", "data:text/plain,x", "unix:///run/x.sock", "ws://example.org/"),
    *("http://user@example.org/", "http://user:pass@example.org/", "http://:x@example.org/"),
    *("http://example.org:80@127.0.0.1/", "http://example.org%40@127.0.0.1/"),
    *("http://127.0.0.1:1\\@example.org/", "http:\\\\127.0.0.1/", "http://example.org\\.evil/"),
    *(
        "http://exa mple.org/",
        " http://example.org/",
        "http://example.org/\r\nX: y",
        "http://e\x00x/",
    ),
    *("http://example.org/\ud800", "http://example.org:99999/", "http://example.org:-1/"),
    *("http://%31%32%37.0.0.1/", "http://[::1/", "http://[example.org]/"),
    *("http://ex\u3000ample.org/", "http://example.org/" + "a" * 2000),
    # no addresses, and dialled as such all the same: nobody would judge what the system finds
    *("http://1.2.3.4.5/", "http://256.256.256.256/", "http://4294967296/", "http://08.8.8.8/"),
    *("http://127.0.0.1.1/", "http://0x7f.0.0.1.5/", "http://0xffffffffff/", "http://a.0x1f/"),
    *("http://example.1/", "http://\u0661\u0662\u0667.0.0.1/", "http://[1:2]/", "http://[:]/"),
    *("http://[1:2.fade.de]/", "http://[v1.x]/", "http://[127.0.0.1]/", "http://[::1]evil/"),
    # where parsers differ: whose host, whose port
    *("http://example.org:80:1@127.0.0.1/", "http://[::1]:80:90/", "http://127.0.0.1:1:2/"),
    *("http://example.org:+80/", "http://example.org:\uff18\uff10/", "http://example.org:8 0/"),
    *("http://127.0.0.1;example.org/", "http://127.0.0.1%00.example.org/", "http://./"),
    *("http://a..b/", "http://..", "http://example.org%2f@127.0.0.1/", "http:///127.0.0.1/"),
    *("http:/127.0.0.1/", "http://\u200b127.0.0.1/", "http://exa\u00admple.org/", "http://%/"),
)

TEXTS: tuple[str, ...] = (
    "@everyone @here <@&1> <@1> <#1> <!channel>",
    "[x](javascript:alert(1)) **b** __u__ ~~s~~ ||s|| `c` ```c```",
    "# heading\n> quote\n- list\n1. list",
    "<script>alert(1)</script></title><img src=x onerror=alert(1)>",
    "]]> &amp; \" ' {{7*7}} {% x %} %s {0} ${x}",
    "Title\r\nBcc: everyone@example.org\r\n\r\nbody",
    "nul \x00 bell \x07 escape \x1b[31m",
    "\u202eevil\u202c \u2066x\u2069 \u200f",
    "half \ud800 and \udfff",
    "\u2028line\u2029paragraph\ufeff\ufffe\uffff",
    "漢字かな 🎧🏴\U000e0067\U000e0062 עברית",
    "",
    " ",
    "a" * 100_000,
    "\\" * 100_000,
    "*" * 100_000,
    "🎧" * 100_000,
    ("word " * 20_000) + "\n" * 1000,
)
