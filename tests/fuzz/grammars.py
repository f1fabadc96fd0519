"""What peers write, mostly right: a rule's wrong ways stand at its end, and are as likely as any other."""

from __future__ import annotations

from tests.errors.chains import SPAN, TRACE, golden
from tests.fuzz.texts import Grammar

#: Values and parameters of structured fields.
_VALUES = {
    "value": ["<string>", "<string>", "<token>", "<number>", "<number>", "<flag>", "<bytes>", "<display>", "@<digits>"],
    "string": ['"<letters>"', '"<letters>"', '"<letters>"', '"POST /<letters>"', '"a\\"b\\\\"', '""', f'"{"x" * 64}"', f'"{"x" * 65}"'],
    "display": ['%"b%c3%bccher"', '%"<letters>%25"', '%"%f0%9f%8d%8e"', '%"<letters>"', "<odd_display>"],
    "odd_display": ['%"%e2%80%a8"', '%"%00"', '%"%c3"', '%"%C3%BC"'],
    "token": ["<letters>", "*", "tok/en:1", "A!#$%&'*+-.^_`|~"],
    "number": ["<digits>", "-<digits>", "<digits>.5", "-0", "-0.0", "999999999999999", "999999999999.999"],
    "flag": ["?1", "?0"],
    "bytes": [":aGk=:", "::", ":aGk:", ":////:"],
    "digits": ["0", "1", "7", "10", "<digits><digits>"],
    "letters": ["a", "b", "shop", "a<letters>", "z.<letters>"],
    "key": ["x", "zone", "a*", "w_1", "x.y-z", "k<digits>", "<key><digits>"],
    "unknown": [";<key>", ";<key>=<value>", "; <key>=<value>", ";<key>=<value><unknown>"],
    "inner": ["()", "(<value>)", "(<value> <value><unknown>)<unknown>", "( <value>  <value> )"],
    "comma": [", ", ", ", ", ", ",", " ,\t"],
}  # fmt: skip

CHAIN = Grammar(
    _VALUES
    | {
        "start": ["<ours>", "<ours>", "<theirs>", "<theirs>", "<theirs>", " <theirs> ", "<golden>"],
        "golden": [block.text for block in golden()],
        # in the form that we write
        "ours": ["<our_root>", "<our_root>, <our_hops>", "<our_root>, <our_hops>"],
        "our_hops": ["<our_hop>", "<our_hop>, <our_hops>"],
        "our_root": [f'"<letters>";c=<code>;t="{TRACE}"<our_ids><our_flags><our_rest>', '"<letters>";c=<code><our_rest>;n=1<digits>'],
        "our_hop": ['"<letters>";c=<code><our_ids><our_flags><our_rest>', '"<letters>";c=<code><our_ids>', "<odd_hop>"],
        "our_ids": ["", f';s="{SPAN}"', f';s="{SPAN}"'],
        "our_flags": ["", "", ";r", ";e", ";r;e"],
        "our_rest": ["", '<our_name>', '<our_name>;k=<kind>', ";k=<kind>"],
        "our_name": [';o="GET /<letters>"', ';v="1.<digits>"', ';o="POST /<letters>";v="1.4.2"'],
        # in any form
        "theirs": ["<root>", "<root><hops>", "<root><hops>", "<root><hops>"],
        "hops": ["<comma><hop>", "<comma><hop><hops>", "<comma><hop><hops>", "<comma><odd_hop>"],
        "root": [f'<name>;c=<code>;t="{TRACE}"<ids><flags><told><unknown>', "<name>;c=<code>;n=<digits><ids><flags><told>"],
        "hop": ['<name>;c=<code><ids><flags><told>', '<name>;c=<code><unknown><ids>', "<name>;c=<code><told><ids><flags>"],
        "name": ['"ledger"', '"payments"', '"<letters>"', "%\"b%c3%bccher\""],
        "code": ["C", "DB_UNAVAILABLE", "HTTP_503", "A<digits>", "C" * 63],
        "ids": ["", f';s="{SPAN}"', f';s="{"0" * 15}1"', f'; s="{SPAN}"'],
        "flags": ["", ";r", ";e", ";r;e", ";e;r", ";r=?0", ";r=?1", ";r;r"],
        "told": ["", '<operation>', '<operation>;v="1.4"', ";v=<display>", ";k=<kind>", "<operation>;k=<kind>;k=local"],
        "operation": [';o="GET /"', ";o=<string>", ";o=<display>"],
        "kind": ["rejected", "remote", "timeout"],
        # in a form that nobody should write
        "odd_hop": ['"<letters>";c=<code>;k=local', '<string>;c=C', '<display>;c=C', f'"a";c={"C" * 64}', f'"a";c=C;t="{TRACE}"', '"a";c=C;n=1', f'"a";c=C;s="{"0" * 16}"', '"a";c=C;r=1', "a;c=C", '"a";c="C"', '("a");c=C', '"a"'],
    }
)  # fmt: skip

REQUEST = Grammar(
    _VALUES
    | {
        "start": ["", "<member>", "<member><members>", "<member><members>", " <member><members>"],
        "members": ["<comma><member>", "<comma><member>", "<comma><member><members>"],
        "member": ["deadline=<digits>", "attempt=<digits>", "chain", "chain=?0", "<key>", "<key>=<value><unknown>", "<key>=<inner>", "deadline=<number>"],
    }
)  # fmt: skip

CORRELATION = Grammar(
    {"start": ["<id>"], "id": ["a", "order-17", "<id><id>", "<id>_B.c", "0", "x" * 127, "x" * 128, " "]}
)

BAGGAGE = Grammar(
    {
        "start": ["<member>", "<member>,<start>", "<member> , <start>"],
        "member": ["correlation.id=<id>", "correlation.id = <id> ;p=1", "<key>=<id>", "correlation.id=<id>;p", "<key>=%41<id>"],
        "id": ["a", "order-17", "%6F%2D", "<id><id>", "x" * 128, "a+b", "a%20b", "a%"],
        "key": ["a", "user.id", "<key><key>", "correlation.id%20"],
    }
)  # fmt: skip

FORWARDED = Grammar(
    {
        "start": ["<node>", "<nodes>", "<nodes>", "<elements>", "<elements>", "<target>"],
        "nodes": ["<node>", "<node>, <nodes>", "<node>,<nodes>"],
        "node": ["10.0.0.1", "192.168.0.7:80", "127.0.0.1", "[::1]:9", "::1", "fc00::<digit>", "[::ffff:10.0.0.1]", "8.8.8.8", "unknown", "fe80::1%1"],
        "elements": ["<element>", "<element>, <elements>", "<element>,<elements>"],
        "element": ["for=<value>", "For=<value>;proto=https", "by=<value>;for=<value>", "host=a;for=<value>", "proto=http"],
        "value": ["10.0.0.1", '"[fc00::1]:4711"', '"10.0.0.<digit>:80"', '"\\1\\0.0.0.1"', "127.0.0.1", "8.8.8.8", "_hidden", "unknown", '""'],
        "target": ["dns:///<host>:50051", "unix:/run/<host>", "ipv4:<node>:80", "ipv6:%5B::1%5D:1", "user:pw@<host>:80", "<host>.", "unix:pw@<host>"],
        "host": ["payments", "ledger.svc", "a.internal", "pay.example.org", "x.corp.example", "evil.com", "127.1", "0x7f.1", "localhost", "<host>.<host>"],
        "digit": ["1", "2", "9", "<digit><digit>"],
    }
)  # fmt: skip

PROBLEM = Grammar(
    {
        "start": ["<object>", "<object>", "<object>", " <object>\n", "<value>"],
        "object": ['{"code":<code>}', '{"type":"about:blank","code":<code>}', '{<members>,"code":<code>}', '{"code":<code>,<members>}', "{}"],
        "members": ['"<letters>":<value>', '"<letters>":<value>,<members>', '"a":<object>'],
        "code": ['"OUT_OF_STOCK"', '"A"', '"HTTP_<digits>"', '"not a code"', "<value>"],
        "value": ['"<letters>"', '"\\u00fc\\ud800"', "<digits>", "-<digits>.<digits>e<digits>", "1e999", "true", "null", "[<value>]", "[<value>,<value>]", "<object>", "NaN"],
        "letters": ["a", "ü", "title", "<letters>\\n"],
        "digits": ["1", "7", "503", "<digits><digits>"],
    }
)  # fmt: skip

RETRY_AFTER = Grammar(
    {
        "start": ["<digits>", "<digits>", " <digits> ", "<date>", "<date>", "<date>"],
        "date": ["<day>, <dd> <month> <year> <time> GMT", "<day>, <dd>-<month>-<year> <time> <zone>", "<day> <month> <dd> <time> <year>", "<dd> <month> <year> <time> <zone>"],
        "day": ["Tue", "Sunday", "xyz"],
        "dd": ["1", "14", "31", "0", "99"],
        "month": ["Nov", "february", "DEC", "13"],
        "year": ["2023", "99", "9999", "0001", "70", "10000"],
        "time": ["22:13:30", "00:00", "23:59:60", "22.13.30", "99:99:99"],
        "zone": ["GMT", "UTC", "+0000", "-0000", "+9999", "-2359", "EST", "Z", ""],
        "digits": ["0", "1", "120", "9", "<digits><digits>"],
    }
)  # fmt: skip
