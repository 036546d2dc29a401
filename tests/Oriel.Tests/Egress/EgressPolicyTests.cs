using System.Net;
using Oriel.Egress.Policy;
using Oriel.Linux.Routing;

namespace Oriel.Tests.Egress;

public sealed class EgressPolicyTests
{
    [Theory]
    [InlineData("*", "anything.example", true)]
    [InlineData("example.org", "example.org", true)]
    [InlineData("Example.ORG.", "example.org", true)]
    [InlineData("example.org", "www.example.org", false)]
    [InlineData("*.example.org", "www.example.org", true)]
    [InlineData("*.example.org", "a.b.example.org", true)]
    [InlineData("*.example.org", "example.org", false)]
    [InlineData("*.example.org", "evilexample.org", false)]
    [InlineData("93.184.216.34", "93.184.216.34", true)]
    [InlineData("2606:2800::1", "2606:2800:0:0::1", true)]
    public void Evaluate_ListedPattern_AllowsWhatItNames(string pattern, string host, bool allowed)
    {
        var policy = new EgressPolicy { Mode = EgressMode.List, Allow = [new EgressRule(pattern)] };
        Assert.Equal(allowed, policy.Evaluate(host, 443).Allowed);
    }

    [Fact]
    public void Evaluate_DenyAndAllow_DenyWins()
    {
        var policy = new EgressPolicy
        {
            Mode = EgressMode.List,
            Allow = [new("*.example.org")],
            Deny = [new("bad.example.org")],
        };
        Assert.True(policy.Evaluate("good.example.org", 443).Allowed);
        Assert.Equal(EgressReason.PolicyDenied, policy.Evaluate("BAD.example.org.", 443).Reason);
    }

    [Fact]
    public void Evaluate_Ports_HoldForTheRuleOnly()
    {
        var policy = new EgressPolicy { Mode = EgressMode.List, Allow = [new("example.org", [443])] };
        Assert.True(policy.Evaluate("example.org", 443).Allowed);
        Assert.Equal(EgressReason.PolicyNotListed, policy.Evaluate("example.org", 80).Reason);
        Assert.Equal(
            EgressReason.PolicyDenied,
            new EgressPolicy { Deny = [new("*", [25])] }
                .Evaluate("example.org", 25)
                .Reason
        );
    }

    [Fact]
    public void Evaluate_None_RefusesAll() => Assert.Equal(EgressReason.PolicyNone, EgressPolicy.None.Evaluate("example.org", 443).Reason);

    [Theory]
    [InlineData("")]
    [InlineData("*.")]
    [InlineData("exa mple.org")]
    [InlineData("a*b.example.org")]
    [InlineData("a..b")]
    public void Validate_BadPattern_NamesIt(string pattern) =>
        Assert.Contains("not a host name", new EgressPolicy { Allow = [new EgressRule(pattern)] }.Validate());

    [Fact]
    public void Validate_BadPartsOfAPolicy_AreNamed()
    {
        Assert.Contains("ports", new EgressPolicy { Deny = [new("a.example", [0])] }.Validate());
        Assert.Contains("upstream's port", new EgressPolicy { Upstream = new(UpstreamType.Http, "p.example", 0) }.Validate());
        Assert.Contains(
            "credentials",
            new EgressPolicy { Upstream = new(UpstreamType.Http, "p.example", 80, "a\r\nX: y", "b") }.Validate()
        );
        Assert.Contains("1000", new EgressPolicy { Allow = [.. Enumerable.Repeat(new EgressRule("*"), 1001)] }.Validate());
        Assert.Null(EgressPolicy.Internet.Validate());
    }

    [Fact]
    public void ToString_PolicyWithUpstream_HidesThePassword()
    {
        var policy = new EgressPolicy { Upstream = new(UpstreamType.Socks5, "p.example", 1080, "user", "hunter2") };
        Assert.DoesNotContain("hunter2", policy.ToString());
        Assert.Null(policy.WithoutSecrets().Upstream!.Password);
    }

    [Theory]
    [
        InlineData("127.0.0.1"),
        InlineData("127.8.9.1"),
        InlineData("10.0.0.1"),
        InlineData("172.16.0.1"),
        InlineData("172.31.255.255"),
        InlineData("192.168.100.1")
    ]
    [
        InlineData("169.254.169.254"),
        InlineData("100.64.0.1"),
        InlineData("0.0.0.0"),
        InlineData("224.0.0.251"),
        InlineData("255.255.255.255"),
        InlineData("198.18.0.7")
    ]
    [InlineData("192.0.2.1"), InlineData("198.51.100.1"), InlineData("203.0.113.9"), InlineData("240.0.0.1")]
    [
        InlineData("::1"),
        InlineData("::"),
        InlineData("fe80::1"),
        InlineData("fc00::1"),
        InlineData("fd12::1"),
        InlineData("ff02::1"),
        InlineData("::ffff:127.0.0.1"),
        InlineData("::ffff:10.1.1.1")
    ]
    [
        InlineData("64:ff9b::a00:1"),
        InlineData("2002:7f00:1::1"),
        InlineData("2001::1"),
        InlineData("2001:db8::1"),
        InlineData("::127.0.0.1")
    ]
    public void Judge_NotGlobalAddress_IsRefused(string address) =>
        Assert.Equal(EgressReason.PrivateAddress, Guard().Judge(IPAddress.Parse(address), 443).Reason);

    [Theory]
    [
        InlineData("93.184.216.34"),
        InlineData("1.1.1.1"),
        InlineData("172.32.0.1"),
        InlineData("2606:4700::1111"),
        InlineData("::ffff:1.1.1.1")
    ]
    public void Judge_GlobalAddress_IsAllowed(string address) => Assert.True(Guard().Judge(IPAddress.Parse(address), 443).Allowed);

    [Fact]
    public void Judge_OwnPort_IsRefusedEvenWhereThePrivateNetworkIsOpen()
    {
        var guard = Guard(IPNetwork.Parse("127.0.0.0/8"));
        Assert.True(guard.Judge(IPAddress.Loopback, 8443).Allowed);
        Assert.Equal(EgressReason.OwnPort, guard.Judge(IPAddress.Loopback, 4000).Reason);
        Assert.Equal(EgressReason.OwnPort, guard.Judge(IPAddress.Parse("::ffff:127.0.0.2"), 4000).Reason);
    }

    [Theory]
    [InlineData("5.5.5.5", RouteKind.Local, 32, "this host")]
    [InlineData("5.5.5.5", RouteKind.Unicast, 24, "route 5.5.5.0/24")]
    [InlineData("5.5.5.5", RouteKind.Unicast, 2, "route 0.0.0.0/2")]
    [InlineData("5.5.5.5", RouteKind.Several, 32, "route 5.5.5.5/32")]
    [InlineData("2a0a:dead::1", RouteKind.Local, 128, "this host")]
    [InlineData("2a0a:dead::1", RouteKind.Unicast, 64, "route 2a0a:dead::/64")]
    [InlineData("::ffff:5.5.5.5", RouteKind.Unicast, 9, "route 5.0.0.0/9")]
    public void Judge_GlobalAddressOfTheHostOrItsLinks_IsRefusedWithItsRoute(string address, RouteKind kind, int prefix, string rule)
    {
        var guard = new AddressGuard(new EgressOptions { SocketPath = "/nowhere" }, _ => new HostRoute(kind, prefix));

        Assert.Equal(EgressDecision.Refuse(EgressReason.OwnNetwork, rule), guard.Judge(IPAddress.Parse(address), 443));
    }

    [Theory]
    [InlineData("5.5.5.5", RouteKind.Unicast, 0)]
    [InlineData("5.5.5.5", RouteKind.Unicast, 1)]
    [InlineData("5.5.5.5", RouteKind.None, 0)]
    [InlineData("2a0a:dead::1", RouteKind.Unicast, 3)]
    public void Judge_GlobalAddressBehindADefaultRoute_IsAllowed(string address, RouteKind kind, int prefix)
    {
        var guard = new AddressGuard(new EgressOptions { SocketPath = "/nowhere" }, _ => new HostRoute(kind, prefix));

        Assert.True(guard.Judge(IPAddress.Parse(address), 443).Allowed);
    }

    [Fact]
    public void Judge_WhatTheOperatorAndThePlatformHave_IsAsTheOptionsSay()
    {
        var guard = new AddressGuard(
            new EgressOptions
            {
                SocketPath = "/nowhere",
                AllowedPrivate = [IPNetwork.Parse("5.5.0.0/16")],
                Denied = [IPNetwork.Parse("5.5.6.0/24"), IPNetwork.Parse("9.9.9.9/32")],
                PublicAddresses = [IPAddress.Parse("8.8.4.4")],
                OwnPorts = () => [4000],
            },
            address => new HostRoute(RouteKind.Unicast, address.ToString().StartsWith("5.5.", StringComparison.Ordinal) ? 16 : 0)
        );

        Assert.Equal(EgressReason.PrivateAddress, guard.Judge(IPAddress.Parse("168.63.129.16"), 80).Reason);
        Assert.Equal(EgressReason.PrivateAddress, guard.Judge(IPAddress.Parse("166.9.1.1"), 80).Reason);
        Assert.True(guard.Judge(IPAddress.Parse("5.5.5.5"), 80).Allowed);
        Assert.Equal("--egress-deny 5.5.6.0/24", guard.Judge(IPAddress.Parse("5.5.6.1"), 80).Rule);
        Assert.Equal(EgressReason.OperatorDenied, guard.Judge(IPAddress.Parse("::ffff:9.9.9.9"), 80).Reason);
        Assert.Equal(EgressReason.OwnNetwork, guard.Judge(IPAddress.Parse("8.8.4.4"), 80).Reason);
        Assert.Equal(EgressReason.OwnPort, guard.Judge(IPAddress.Parse("8.8.4.4"), 4000).Reason);
    }

    [Fact]
    public void Judge_EverySpellingOfAnAddress_IsJudgedAsThatAddress()
    {
        var guard = Guard();
        var policy = new EgressPolicy { Deny = [new("5.6.7.0/24"), new("2a0a:dead::/32")] };
        foreach (var (address, spellings) in Spellings())
        {
            var plain = guard.Judge(address, 4000);
            foreach (var spelling in spellings)
            {
                Assert.True(HostAddress.TryParse(HostPattern.Normalize(spelling), out var read), spelling);
                Assert.Equal(address, read);
                Assert.Equal(plain, guard.Judge(read, 4000));
                Assert.Equal(policy.Evaluate(address.ToString(), 443), policy.Evaluate(spelling, 443));
            }
        }
    }

    [Theory]
    [InlineData("fe80::1%1")]
    [InlineData("[fe80::1%eth0]")]
    [InlineData("2a0a:dead::1%1")]
    [InlineData("127.0.0.1%1")]
    [InlineData("::ffff:127.0.0.1%lo")]
    public void ZoneIds_InHostsAndRules_AreRefused(string host)
    {
        Assert.False(HostAddress.TryParse(host, out _));
        Assert.False(HostPattern.IsHostName(HostPattern.Normalize(host)));
        Assert.Contains("not a host name", new EgressPolicy { Deny = [new EgressRule(host)] }.Validate());
    }

    [Fact]
    public void EvaluateAddress_RuleForANetwork_HoldsForWhateverResolvesToIt()
    {
        var policy = new EgressPolicy { Deny = [new("5.6.7.0/24", [443]), new("9.9.9.9")] };
        Assert.True(policy.Evaluate("name.example", 443).Allowed);
        Assert.Equal(
            EgressDecision.Refuse(EgressReason.PolicyDenied, "deny 5.6.7.0/24"),
            policy.EvaluateAddress("name.example", IPAddress.Parse("5.6.7.8"), 443)
        );
        Assert.True(policy.EvaluateAddress("name.example", IPAddress.Parse("5.6.7.8"), 80).Allowed);
        Assert.Equal("deny 9.9.9.9", policy.EvaluateAddress("name.example", IPAddress.Parse("::ffff:9.9.9.9"), 80).Rule);

        var list = new EgressPolicy { Mode = EgressMode.List, Allow = [new("5.6.7.0/24"), new("good.example")] };
        Assert.True(list.Evaluate("name.example", 443).Allowed);
        Assert.True(list.EvaluateAddress("name.example", IPAddress.Parse("5.6.7.8"), 443).Allowed);
        Assert.True(list.EvaluateAddress("good.example", IPAddress.Parse("1.1.1.1"), 443).Allowed);
        Assert.Equal(EgressReason.PolicyNotListed, list.EvaluateAddress("name.example", IPAddress.Parse("5.6.8.1"), 443).Reason);
        Assert.Equal(
            EgressReason.PolicyNotListed,
            (list with { Upstream = new(UpstreamType.Http, "p.example", 80) }).Evaluate("name.example", 443).Reason
        );
    }

    private static IEnumerable<(IPAddress Address, string[] Spellings)> Spellings()
    {
        var random = new Random(6);
        var some = Enumerable.Range(0, 200).Select(_ => new IPAddress((uint)random.NextInt64(1L << 32)));
        IPAddress[] told = [IPAddress.Loopback, IPAddress.Parse("169.254.169.254"), IPAddress.Parse("5.6.7.8")];
        foreach (var address in told.Concat(some))
        {
            var b = address.GetAddressBytes();
            var number = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(b);
            yield return (
                address,
                [
                    $"{address}.",
                    $"{number}",
                    $"0x{number:x8}",
                    $"0x{b[0]:x}.0x{b[1]:x}.0x{b[2]:x}.0x{b[3]:x}",
                    $"0{Convert.ToString(b[0], 8)}.{b[1]}.{b[2]}.{b[3]}",
                    $"{b[0]}.{number & 0xFFFFFF}",
                    $"{b[0]}.{b[1]}.{number & 0xFFFF}",
                    $"::ffff:{address}",
                    $"[::FFFF:{b[0]:x2}{b[1]:x2}:{b[2]:x2}{b[3]:x2}]",
                    $"0:0:0:0:0:ffff:{address}",
                ]
            );
        }

        foreach (var text in new[] { "::1", "2a0a:dead::1", "fe80::1" })
        {
            var address = IPAddress.Parse(text);
            var groups = Convert.ToHexString(address.GetAddressBytes()).Chunk(4).Select(group => new string(group));
            yield return (address, [$"[{text}]", text.ToUpperInvariant(), string.Join(':', groups)]);
        }
    }

    private static AddressGuard Guard(params IPNetwork[] allowed) =>
        new(
            new EgressOptions
            {
                SocketPath = "/nowhere",
                AllowedPrivate = allowed,
                OwnPorts = () => [4000],
            },
            address => new HostRoute(IPAddress.IsLoopback(address) ? RouteKind.Local : RouteKind.Unicast, 0)
        );
}
