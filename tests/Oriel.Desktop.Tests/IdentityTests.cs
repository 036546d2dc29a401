using System.Text.Json.Nodes;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>What no two desktops may share: one assertion for each row of docs/identity.md.</summary>
public sealed class IdentityTests(Ring ring) : RingTests(ring)
{
    private const string Script = """
        echo "machine-id $(cat /etc/machine-id)"
        echo "dbus-id $(cat /var/lib/dbus/machine-id)"
        echo "hostname $(hostname) $(cat /etc/hostname)"
        echo "cookie $(sha256sum < "$XAUTHORITY")"
        echo "ssh-keys $(ls /etc/ssh/ssh_host_* 2>/dev/null | wc -l)"
        echo "kernel-random $(head -c 16 /dev/urandom | sha256sum)"
        echo "user-random $(cat /proc/sys/kernel/random/uuid)"
        echo "clock $(date +%s)"
        echo "browser $(grep -o '"limited_entropy_randomization_source":"[0-9A-F]*"' ~/.config/chromium/'Local State')"
        """;

    [Fact]
    public async Task Identity_OfTwoDesktops_IsEachOnesOwn()
    {
        SkipUnlessPrepared();
        var created = await Task.WhenAll(Server.CreateDesktopAsync(new { name = "one" }), Server.CreateDesktopAsync(new { name = "two" }));
        var ids = created.Select(Ring.IdOf).ToArray();
        await Task.WhenAll(ids.Select(id => Server.WaitReadyAsync(id)));
        var (one, two) = (await ReadAsync(ids[0]), await ReadAsync(ids[1]));

        Assert.All(
            (string[])["machine-id", "dbus-id", "cookie", "kernel-random", "user-random", "browser"],
            what => Assert.NotEqual(one[what], two[what])
        );
        Assert.Equal(one["machine-id"], one["dbus-id"]);
        Assert.Equal(("one one", "two two"), (one["hostname"], two["hostname"]));
        Assert.Equal(("0", "0"), (one["ssh-keys"], two["ssh-keys"]));
        Assert.All(
            (Dictionary<string, string>[])[one, two],
            desktop =>
                Assert.InRange(
                    long.Parse(desktop["clock"], System.Globalization.CultureInfo.InvariantCulture),
                    DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 30,
                    DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 30
                )
        );
        Assert.NotEqual(await KeyAsync(ids[0], "agentKey"), await KeyAsync(ids[1], "agentKey"));
        Assert.NotEqual(await KeyAsync(ids[0], "egressKey"), await KeyAsync(ids[1], "egressKey"));
    }

    /// <summary>Once the browser has written its ids, a moment after its window is there.</summary>
    private async Task<Dictionary<string, string>> ReadAsync(string id)
    {
        var seen = new Dictionary<string, string>();
        await OrielServer.EventuallyAsync(
            async () =>
            {
                var (_, output, errors) = await Server.ShellAsync(id, Script);
                seen = output
                    .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                    .Select(line => line.Split(' ', 2))
                    .ToDictionary(pair => pair[0], pair => pair[1]);
                return seen["browser"].Length > 0 ? null : $"the browser has no ids yet: {errors}";
            },
            TimeSpan.FromSeconds(60)
        );
        return seen;
    }

    private async Task<string> KeyAsync(string id, string name) =>
        JsonNode.Parse(await File.ReadAllTextAsync(Server.Layout.BundleOf(id).Spec, Token))![name]!.GetValue<string>();
}
