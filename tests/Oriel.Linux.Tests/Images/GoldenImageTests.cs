using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Oriel.Images.Building;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Images;

/// <summary>The image that the run has built: what its manifest says, and what lies in its tree.</summary>
public sealed class GoldenImageTests
{
    private static readonly string? Root = Environment.GetEnvironmentVariable("ORIEL_TEST_ROOTFS");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public GoldenImageTests() =>
        Assert.SkipWhen(Root is null, "ORIEL_TEST_ROOTFS is not set: ./oriel test linux builds an image and sets it");

    [Fact]
    public void Manifest_OfTheBuiltImage_NamesWhatItIs()
    {
        var image = Manifest();

        Assert.Equal("sha256:" + Path.GetFileName(Path.GetDirectoryName(Root!)), image.Digest);
        Assert.Equal(("desktop", "trixie"), (image.Name, image.Suite));
        Assert.InRange(image.Size, 200L << 20, 4L << 30);
        Assert.InRange(image.CreatedAt, new DateTimeOffset(2025, 8, 9, 0, 0, 0, TimeSpan.Zero), DateTimeOffset.UtcNow.AddMinutes(1));
        Assert.NotNull(image.Agent);
        foreach (var name in (string[])["chromium", "xfce4-terminal", "xfwm4", "libc6"])
        {
            Assert.Matches(@"^\S*\d\S*$", Assert.Single(image.Packages, package => package.Name == name).Version);
        }

        Assert.True(
            image.BootTest is { Passed: true } || Environment.GetEnvironmentVariable("ORIEL_ALLOW_UNTESTED_IMAGE") == "1",
            $"boot test: {image.BootTest}"
        );
    }

    [Fact]
    public void Manifest_OfTheBuiltImage_NamesItsRecipe()
    {
        var app = Environment.GetEnvironmentVariable("ORIEL_TEST_APP");
        Assert.SkipWhen(app is null, "ORIEL_TEST_APP is not set: the recipe that the image was built from is there");

        Assert.Equal(ImageRecipe.Load(Path.Combine(app!, "images", "desktop")).Hash, Manifest().RecipeHash);
    }

    [Fact]
    public void Sources_OfTheImage_AreTrixieWithItsSecuritySuite()
    {
        Assert.Contains("VERSION_CODENAME=trixie", File.ReadLines(Inside("usr/lib/os-release")));
        var places = (string[])[Inside("etc/apt/sources.list"), .. Directory.EnumerateFiles(Inside("etc/apt/sources.list.d"))];
        var sources = string.Join('\n', places.Where(File.Exists).Select(File.ReadAllText));
        Assert.Contains("trixie-security", sources);
        Assert.Contains("trixie-updates", sources);
    }

    [Fact]
    public void Packages_OfTheImage_HaveChineseJapaneseKoreanAndEmojiFonts()
    {
        var names = Names();
        Assert.Contains("fonts-noto-cjk", names);
        Assert.Contains("fonts-noto-color-emoji", names);
        Assert.NotEmpty(Directory.EnumerateFiles(Inside("usr/share/fonts"), "NotoSansCJK*", SearchOption.AllDirectories));
        Assert.NotEmpty(Directory.EnumerateFiles(Inside("usr/share/fonts"), "NotoColorEmoji*", SearchOption.AllDirectories));
    }

    /// <summary>x264 and x265 are under the GPL; whatever is built with them is as well.</summary>
    [Fact]
    public void Packages_OfTheImage_HaveNoGplCodec()
    {
        Assert.DoesNotContain(
            Names(),
            name => name.Contains("x264", StringComparison.Ordinal) || name.Contains("x265", StringComparison.Ordinal)
        );
        Assert.Empty(Directory.EnumerateFiles(Inside("usr/lib"), "libx26*", new EnumerationOptions { RecurseSubdirectories = true }));
        Assert.Contains("libopenh264-8", Names());
    }

    [Fact]
    public void Settings_OfTheImage_SwitchTheCompositorOff()
    {
        var settings = XDocument.Load(Inside("etc/xdg/xfce4/xfconf/xfce-perchannel-xml/xfwm4.xml"));
        var compositing = settings.Descendants("property").Single(property => (string?)property.Attribute("name") == "use_compositing");
        Assert.Equal("false", (string?)compositing.Attribute("value"));
    }

    [Fact]
    public void Autostart_OfTheImage_OpensTerminalAndBrowser()
    {
        var terminal = File.ReadAllText(Inside("home/user/.config/autostart/terminal.desktop"));
        Assert.Contains("--title=\"CLI Terminal\"", terminal);
        Assert.Contains("--geometry=100x30", terminal);
        Assert.Contains("Exec=/usr/lib/oriel/browser", File.ReadAllText(Inside("home/user/.config/autostart/browser.desktop")));
        Assert.True(File.GetUnixFileMode(Inside("usr/lib/oriel/browser")).HasFlag(UnixFileMode.OtherExecute));
    }

    [Fact]
    public void Proxy_OfTheImage_IsSetForProgramsInBothCasesAndForChromiumByPolicy()
    {
        var environment = File.ReadAllLines(Inside("etc/environment"));
        foreach (var name in (string[])["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"])
        {
            Assert.Contains($"{name}=http://192.168.100.1:10001", environment);
        }

        Assert.Contains("NO_PROXY=localhost,127.0.0.1,::1,127.0.0.0/8,192.168.100.1,192.168.100.2,192.168.100.0/24", environment);
        Assert.Contains("no_proxy=localhost,127.0.0.1,::1,127.0.0.0/8,192.168.100.1,192.168.100.2,192.168.100.0/24", environment);
        var policy = JsonNode.Parse(File.ReadAllText(Inside("etc/chromium/policies/managed/oriel.json")))!["ProxySettings"]!;
        Assert.Equal(
            ("fixed_servers", "192.168.100.1:10001"),
            (policy["ProxyMode"]!.GetValue<string>(), policy["ProxyServer"]!.GetValue<string>())
        );
    }

    /// <summary>
    /// The same tree (linked, not copied), but its session ends at once: its boot test fails soon, and it is refused with the reason.
    /// </summary>
    [Fact]
    public async Task BootTest_SessionThatEndsAtOnce_FailsAndTheImageIsRefused()
    {
        var app = Environment.GetEnvironmentVariable("ORIEL_TEST_APP");
        Assert.SkipWhen(app is null, "ORIEL_TEST_APP is not set: ./oriel test linux publishes the application and sets it");
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "An image's tree belongs to an ordinary user; this runs as root.");

        // Beside the image, since links do not leave a file system.
        var data = Path.Combine(
            Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(Root!)!)!)!,
            $"bad-{Guid.NewGuid():n}"[..12]
        );
        var image = new ImageDirectory(Path.Combine(new DataLayout(data).Images, new string('e', 64)));
        try
        {
            Directory.CreateDirectory(image.Path);
            await RunAsync(
                "unshare",
                "--map-root-user",
                "--map-auto",
                "--",
                "sh",
                "-ec",
                """
                cp -al "$0" "$1"
                rm "$1/usr/bin/xfce4-session"
                printf '#!/bin/sh\necho this session is broken\nexit 7\n' > "$1/usr/bin/xfce4-session"
                chmod 755 "$1/usr/bin/xfce4-session"
                """,
                Root!,
                image.Tree
            );
            var manifest = JsonNode.Parse(await File.ReadAllTextAsync(new ImageDirectory(Path.GetDirectoryName(Root!)!).Manifest, Token))!;
            (manifest["digest"], manifest["bootTest"]) = ("sha256:" + new string('e', 64), null);
            await File.WriteAllTextAsync(image.Manifest, manifest.ToJsonString(), Token);

            var (code, output) = await TryAsync("dotnet", Path.Combine(app!, "oriel.dll"), "image", "test", "desktop", "--data", data);
            Assert.True(code == 1, output);
            Assert.Contains("failed its boot test and is not usable", output);
            Assert.Contains("xfce4-session", output);
            var store = new ImageStore(new DataLayout(data).Images, allowUntested: true);
            var refused = Assert.Single(store.List());
            Assert.False(store.IsUsable(refused));
            Assert.Contains("session", refused.BootTest!.Reason);
            Assert.Null(store.FindUsable("desktop"));
        }
        finally
        {
            await RunAsync("unshare", "--map-root-user", "--map-auto", "--", "rm", "-rf", data);
        }
    }

    private static string Inside(string path) => Path.Combine(Root!, path);

    private static ImageManifest Manifest()
    {
        var store = new ImageStore(Path.GetDirectoryName(Path.GetDirectoryName(Root!))!);
        return Assert.Single(store.List(), image => store.PathOf(image.Digest) == Path.GetDirectoryName(Root!));
    }

    private static HashSet<string> Names() => [.. Manifest().Packages.Select(package => package.Name)];

    private static async Task RunAsync(params string[] command)
    {
        var (code, output) = await TryAsync(command);
        Assert.True(code == 0, $"{string.Join(' ', command)}: {code}: {output}");
    }

    private static async Task<(int Code, string Output)> TryAsync(params string[] command)
    {
        using var process = Process.Start(
            new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(TimeSpan.FromMinutes(4));
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            var errors = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output + await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
