using Google.Protobuf;
using Oriel.Agent.Accounts;
using Oriel.Agent.Configuration;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.GuestAgent;

public sealed class ConfigurationPlanTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("plan-").FullName;
    private readonly SystemCatalog _catalog;
    private readonly UserAccount _user = new("user", 1000, 1000, "/home/user", "/bin/bash", [1000]);

    public ConfigurationPlanTests()
    {
        Directory.CreateDirectory(Path.Combine(_root, "zones/Europe"));
        File.WriteAllText(Path.Combine(_root, "zones/UTC"), "TZif2");
        File.WriteAllText(Path.Combine(_root, "zones/Europe/Paris"), "TZif2");
        File.WriteAllText(Path.Combine(_root, "zones/tzdata.zi"), "# text");
        File.WriteAllText(
            Path.Combine(_root, "evdev.lst"),
            "! model\n  pc105  Generic\n! layout\n  us  English (US)\n  de  German\n! variant\n  nodeadkeys  de: German (no dead keys)\n  intl  us: English\n"
        );
        _catalog = new SystemCatalog(Path.Combine(_root, "zones"), Path.Combine(_root, "evdev.lst"));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("/a")]
    [InlineData("/home/user/x y/ünï")]
    [InlineData("/procs/x")]
    [InlineData("/a/.hidden/...")]
    public void PathRules_GoodPath_Passes(string path) => Assert.Null(GuestRules.PathProblem(path));

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("/")]
    [InlineData("/a/")]
    [InlineData("//a")]
    [InlineData("/a//b")]
    [InlineData("/a/./b")]
    [InlineData("/a/../b")]
    [InlineData("/..")]
    [InlineData("/a\0b")]
    [InlineData("/a\nb")]
    [InlineData("/proc/1/mem")]
    [InlineData("/dev")]
    [InlineData("/sys/x")]
    [InlineData("/run/oriel/boot.json")]
    public void PathRules_BadPath_IsRefused(string path) => Assert.NotNull(GuestRules.PathProblem(path));

    [Fact]
    public void PathRules_LongNameOrPath_IsRefused()
    {
        Assert.NotNull(GuestRules.PathProblem("/" + new string('é', 128)));
        Assert.NotNull(GuestRules.PathProblem(string.Concat(Enumerable.Repeat("/abcdefgh", 500))));
        Assert.Null(GuestRules.PathProblem("/" + new string('é', 127)));
    }

    [Fact]
    public void Create_Empty_HasTheDefaults()
    {
        var (plan, faults) = Create(new ConfigureRequest());
        Assert.Empty(faults);
        Assert.Equal(
            ("boot-name", "UTC", "us", 1280, 720),
            (plan!.Hostname, plan.TimeZone, plan.Layout.ToString(), plan.Width, plan.Height)
        );
    }

    [Theory]
    [InlineData("Europe/Paris", true)]
    [InlineData("Europe", false)]
    [InlineData("tzdata.zi", false)]
    [InlineData("../zones/UTC", false)]
    [InlineData("/etc/passwd", false)]
    [InlineData("Europe/", false)]
    [InlineData("Mars/Base", false)]
    public void Create_TimeZone_MustBeOneOfTheGuest(string zone, bool good) =>
        Check(new ConfigureRequest { TimeZone = zone }, "time_zone", good);

    [Theory]
    [InlineData("de", true)]
    [InlineData("de(nodeadkeys)", true)]
    [InlineData("us(nodeadkeys)", false)]
    [InlineData("nodeadkeys", false)]
    [InlineData("pc105", false)]
    [InlineData("de()", false)]
    [InlineData("de(", false)]
    [InlineData("(intl)", false)]
    [InlineData("de;reboot", false)]
    [InlineData("-option", false)]
    public void Create_Layout_MustBeOneOfTheGuest(string layout, bool good) =>
        Check(new ConfigureRequest { KeyboardLayout = layout }, "keyboard_layout", good);

    [Theory]
    [InlineData("box", true)]
    [InlineData("a.b-c.9", true)]
    [InlineData("-a", false)]
    [InlineData("a-", false)]
    [InlineData("a..b", false)]
    [InlineData("a_b", false)]
    [InlineData("a b", false)]
    [InlineData("bücher", false)]
    [InlineData("a1234567890123456789012345678901234567890123456789012345678901234", false)]
    public void Create_Hostname_FollowsRfc1123(string name, bool good) => Check(new ConfigureRequest { Hostname = name }, "hostname", good);

    [Theory]
    [InlineData("A", "b", true)]
    [InlineData("_a9", "", true)]
    [InlineData("9a", "b", false)]
    [InlineData("a-b", "c", false)]
    [InlineData("", "c", false)]
    [InlineData("A", "line\nbreak", false)]
    [InlineData("A", "nul\0", false)]
    [InlineData("DISPLAY", ":9", false)]
    [InlineData("HOME", "/", false)]
    public void Create_Variable_MustBeTrueEverywhere(string name, string value, bool good) =>
        Check(new ConfigureRequest { Env = { [name] = value } }, "env", good);

    [Theory]
    [InlineData("", "user", true)]
    [InlineData("root", "root", true)]
    [InlineData("12:34", "", true)]
    [InlineData("somebody", "", false)]
    [InlineData("1:", "", false)]
    [InlineData("-1:0", "", false)]
    [InlineData("4294967295:0", "", false)]
    [InlineData("1:2:3", "", false)]
    public void Create_Owner_IsUserRootOrIds(string owner, string _, bool good) =>
        Check(
            new ConfigureRequest
            {
                Files =
                {
                    new ConfiguredFile { Path = "/a", Owner = owner },
                },
            },
            "files[0]",
            good
        );

    [Fact]
    public void Create_FilesInConflict_AreRefused()
    {
        Check(new ConfigureRequest { Files = { File_("/a"), File_("/a") } }, "files[1]", false);
        Check(new ConfigureRequest { Files = { File_("/a/b/c"), File_("/a") } }, "files: /a/b/c", false);
        Check(new ConfigureRequest { Files = { File_("/etc/environment") } }, "files[0]", false);
        Check(
            new ConfigureRequest
            {
                Files =
                {
                    new ConfiguredFile { Path = "/a", Mode = 0x1000 },
                },
            },
            "files[0]",
            false
        );
        Check(new ConfigureRequest { Files = { File_("/a/b"), File_("/a/bc") } }, "files", true);
    }

    [Fact]
    public void Create_TooMuch_IsRefused()
    {
        var many = new ConfigureRequest();
        many.Files.AddRange(Enumerable.Range(0, GuestRules.MaxFiles + 1).Select(i => File_($"/f{i}")));
        Check(many, "files", false);
        var large = ByteString.CopyFrom(new byte[(GuestRules.MaxFileBytes / 2) + 1]);
        Check(
            new ConfigureRequest
            {
                Files =
                {
                    new ConfiguredFile { Path = "/a", Content = large },
                    new ConfiguredFile { Path = "/b", Content = large },
                },
            },
            "files",
            false
        );
        Check(new ConfigureRequest { Width = 5000, Height = 100 }, "width", false);
        Check(new ConfigureRequest { StartUrl = "javascript:alert(1)" }, "start_url", false);
        Check(
            new ConfigureRequest { Trust = { ByteString.CopyFromUtf8("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") } },
            "trust[0]",
            false
        );
    }

    private static ConfiguredFile File_(string path) => new() { Path = path };

    private (ConfigurationPlan? Plan, IReadOnlyList<string> Faults) Create(ConfigureRequest request) =>
        ConfigurationPlan.Create(request, _user, _catalog, "boot-name");

    private void Check(ConfigureRequest request, string field, bool good)
    {
        var (plan, faults) = Create(request);
        Assert.Equal(good, plan is not null);
        Assert.All(faults, fault => Assert.StartsWith(field, fault));
        Assert.Equal(good, faults.Count == 0);
    }
}
