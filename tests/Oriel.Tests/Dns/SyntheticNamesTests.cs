using System.Net;
using Oriel.Keeper.Dns;

namespace Oriel.Tests.Dns;

public sealed class SyntheticNamesTests
{
    [Fact]
    public void AddressOf_TheSameName_StaysTheSame()
    {
        var names = new SyntheticNames();

        Assert.Equal(names.AddressOf("a.test"), names.AddressOf("a.test"));
        Assert.NotEqual(names.AddressOf("a.test"), names.AddressOf("b.test"));
    }

    [Fact]
    public void AddressOf_BeyondTheCapacity_ForgetsTheLongestUnused_AndNeverOneInUse()
    {
        var names = new SyntheticNames(capacity: 3);
        var first = names.AddressOf("first.test")!;
        var second = names.AddressOf("second.test")!;
        names.AddressOf("third.test");
        using var lease = names.Acquire(first);
        Assert.Equal("first.test", lease.Host);

        names.AddressOf("third.test");
        names.AddressOf("fourth.test");
        names.AddressOf("fifth.test");

        Assert.Equal("first.test", names.NameOf(first));
        Assert.Null(names.NameOf(second));
        Assert.Equal(3, names.Count);
    }

    [Fact]
    public void AddressOf_WhenAllAreInUse_IsNone_AndWorksAgainAfterwards()
    {
        var names = new SyntheticNames(capacity: 1);
        var lease = names.Acquire(names.AddressOf("a.test")!);

        Assert.Null(names.AddressOf("b.test"));
        lease.Dispose();
        lease.Dispose();
        Assert.NotNull(names.AddressOf("b.test"));
    }

    [Fact]
    public void AddressOf_ManyNames_UsesAnAddressAgainOnlyAfterAllOthers()
    {
        var names = new SyntheticNames(capacity: 100);
        var seen = new HashSet<IPAddress>();
        for (var i = 0; i < SyntheticNames.AddressCount; i++)
        {
            var address = names.AddressOf($"n{i}.test")!;
            Assert.True(SyntheticNames.Contains(address));
            Assert.True(seen.Add(address), $"{address} was given again after {i} names");
        }

        Assert.Equal("198.19.255.254", names.NameOf(IPAddress.Parse("198.19.255.254")) is null ? null : "198.19.255.254");
        Assert.Equal(IPAddress.Parse("198.18.0.1"), names.AddressOf("again.test"));
    }

    [Theory]
    [InlineData("198.17.255.255", false)]
    [InlineData("198.18.0.0", false)]
    [InlineData("198.18.0.1", true)]
    [InlineData("198.19.255.254", true)]
    [InlineData("198.19.255.255", false)]
    [InlineData("198.20.0.0", false)]
    [InlineData("::ffff:198.18.0.1", false)]
    public void Contains_AnAddress_TellsTheRange(string address, bool expected) =>
        Assert.Equal(expected, SyntheticNames.Contains(IPAddress.Parse(address)));

    [Fact]
    public void Acquire_OfAnUnknownAddress_HasNoHost()
    {
        using var lease = new SyntheticNames().Acquire(IPAddress.Parse("198.18.0.9"));

        Assert.Null(lease.Host);
    }

    /// <summary>A fork's programs hold their source's answers: they are never another name's.</summary>
    [Fact]
    public void Load_OfASavedTable_KeepsEachAddressItsNames()
    {
        var path = Path.GetTempFileName();
        try
        {
            var source = new SyntheticNames();
            var held = Enumerable.Range(0, 500).ToDictionary(i => $"name-{i}.test", i => source.AddressOf($"name-{i}.test")!);
            source.Save(path);
            var copy = SyntheticNames.Load(path);
            var others = Enumerable.Range(0, 500).Select(i => copy.AddressOf($"other-{i}.test")!).ToHashSet();

            Assert.All(held, pair => Assert.Equal(pair.Key, copy.NameOf(pair.Value)));
            Assert.All(held, pair => Assert.Equal(pair.Value, copy.AddressOf(pair.Key)));
            Assert.Empty(others.Intersect(held.Values));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("1\n198.18.0.1")]
    [InlineData("1\n198.18.0.1 a b")]
    [InlineData("1\n10.0.0.1 a.test")]
    [InlineData("1\n198.18.0.1 ")]
    [InlineData("1\n198.18.0.1 a.test\n198.18.0.1 b.test")]
    [InlineData("1\n198.18.0.1 a.test\n198.18.0.2 a.test")]
    public void Load_OfWhatIsNoTable_IsRefused(string text)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            Assert.Throws<IOException>(() => SyntheticNames.Load(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
