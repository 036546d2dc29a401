using System.Net;
using Oriel.Egress.Policy;

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
    [InlineData("-bad.example.org")]
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

    private static AddressGuard Guard(params IPNetwork[] allowed) =>
        new(
            new EgressOptions
            {
                SocketPath = "/nowhere",
                AllowedPrivate = allowed,
                OwnPorts = () => [4000],
            },
            TimeProvider.System
        );
}
