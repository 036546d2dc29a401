using Oriel.Keeper.Drivers.Container;

namespace Oriel.Tests.Keeper;

/// <summary>Reads the profile's rules as libseccomp does: all conditions of a rule must hold; what no rule names is the default.</summary>
public sealed class SeccompProfileTests
{
    /// <summary>What a caller may put above the 32 bits that the kernel takes.</summary>
    private static readonly ulong[] HighBits = [0, 1UL << 32, 0xCUL << 32, 1UL << 63, 0xFFFF_FFFFUL << 32];

    private static readonly OciSeccomp Profile = SeccompProfile.Create();

    [Theory]
    [InlineData("socket", 16, 3, 12)] // netfilter
    [InlineData("socket", 16, 3, 6)] // xfrm
    [InlineData("socket", 16, 3, 16)] // generic netlink
    [InlineData("socket", 16, 3, 77)]
    [InlineData("socket", 40, 1, 0)] // AF_VSOCK
    [InlineData("socket", 38, 5, 0)] // AF_ALG
    [InlineData("socket", 17, 3, 0)] // AF_PACKET
    [InlineData("socket", 46, 1, 0)]
    [InlineData("socket", 0, 1, 0)]
    [InlineData("ioctl", 0, 0x5412, 0)] // TIOCSTI
    [InlineData("ioctl", 0, 0x541C, 0)] // TIOCLINUX
    public void DeniedArguments_WithAnyHighBits_AreDenied(string call, uint first, uint second, uint third)
    {
        Assert.All(HighBits, high => Assert.False(IsAllowed(call, first | high, second | high, third | high)));
        Assert.All(HighBits, high => Assert.False(IsAllowed(call, first, second | high, third)));
        Assert.All(HighBits, high => Assert.False(IsAllowed(call, first, second, third | high)));
    }

    [Fact]
    public void Sockets_OfEveryFamily_AreAllowedWhereANetworkNamespaceContainsThem()
    {
        var allowed = Enumerable.Range(0, 4096).Where(family => IsAllowed("socket", (ulong)family, 1, 0));

        Assert.Equal([1, 2, 10, 16], allowed);
    }

    [Fact]
    public void Requests_OfATerminal_AreAllowedButForTwo()
    {
        uint[] edges = [0, 0x5401, 0x5413, 0x541B, 0x8004_5430, 0xC018_6419, uint.MaxValue, 0x5412 ^ 0x8000_0000, 0x541C ^ 0x10];
        var random = new Random(1);
        var some = Enumerable.Range(0, 10_000).Select(_ => (uint)random.NextInt64(1L << 32));

        var refused = Enumerable
            .Range(0, 0x10000)
            .Select(request => (uint)request)
            .Concat(edges)
            .Concat(some)
            .Where(request => !IsAllowed("ioctl", 0, request, 0));

        Assert.Equal([0x5412u, 0x541Cu], refused.Distinct().Order());
    }

    [Theory]
    [InlineData("mount")]
    [InlineData("move_mount")]
    [InlineData("io_uring_setup")]
    [InlineData("bpf")]
    [InlineData("keyctl")]
    [InlineData("init_module")]
    [InlineData("open_by_handle_at")]
    [InlineData("a_call_of_a_later_kernel")]
    public void Calls_ThatAreNotListed_AreDenied(string call) => Assert.False(IsAllowed(call));

    [Fact]
    public void Rules_OfOneCall_DoNotContradictEachOther()
    {
        var plain = Profile.Syscalls.Where(rule => rule.Args is null).SelectMany(rule => rule.Names).ToList();

        Assert.Equal(plain.Count, plain.Distinct().Count());
        Assert.DoesNotContain(Profile.Syscalls, rule => rule.Args is not null && rule.Names.Any(plain.Contains));
        // libseccomp refuses a rule whose action is the default one.
        Assert.DoesNotContain(Profile.Syscalls, rule => rule.Action == Profile.DefaultAction && rule.ErrnoRet == Profile.DefaultErrnoRet);
    }

    private static bool IsAllowed(string call, params ulong[] arguments)
    {
        var rules = Profile.Syscalls.Where(rule =>
            rule.Names.Contains(call)
            && (rule.Args ?? []).All(argument => (arguments[(int)argument.Index] & argument.Value) == argument.ValueTwo)
        );
        var actions = rules.Select(rule => rule.Action).Distinct().ToList();
        Assert.True(actions.Count <= 1, $"{call} is both allowed and denied");
        return actions is ["SCMP_ACT_ALLOW"];
    }
}
