using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Node;
using Oriel.Linux.Processes;
using Oriel.Protocol.Layout;
using Oriel.Server.Composition;
using Oriel.Server.Configuration;
using Oriel.Tests.Server;

namespace Oriel.Tests.Keeper;

/// <summary>
/// A host without one of the programs that a keeper is started with: whoever asks for a desktop, or starts the server, reads which and what
/// to install.
/// </summary>
public sealed class KeeperProgramsTests : IDisposable
{
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _data = Directory.CreateTempSubdirectory("oriel-programs-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string SearchPath => Path.Combine(_data, "bin");

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Theory]
    [InlineData("setsid", "util-linux")]
    [InlineData("unshare", "util-linux")]
    [InlineData("newuidmap", "uidmap")]
    [InlineData("newgidmap", "uidmap")]
    public async Task Desktop_ProgramThatIsMissing_FailsInTheStepKeeperAndSaysWhatToInstall(string program, string package)
    {
        PutPrograms(but: program);
        TestServer.AddImage(new DataLayout(_data).Images);
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "oriel"), ["image", "test", "desktop", "--data", _data])
        {
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = SearchPath;
        using var process = Process.Start(start)!;
        var told = await process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);

        Assert.Contains($"{program} is not installed: sudo apt-get install {package}", told);
        Assert.Equal(1, process.ExitCode);
        var manifest = TestServer.ImageIn(_data).Manifest;
        var last = JsonNode.Parse(await File.ReadAllTextAsync(manifest, Token))!["bootTest"]!["steps"]!.AsArray()[^1]!;
        Assert.Equal(("keeper", false), (last["name"]!.GetValue<string>(), last["passed"]!.GetValue<bool>()));
        Assert.Empty(Directory.EnumerateDirectories(_data, ".*"));
    }

    [Fact]
    public async Task Server_ProgramsThatAreMissing_SaysSoInItsLogWhenItStarts()
    {
        PutPrograms(but: "newuidmap");
        File.Delete(Path.Combine(SearchPath, "crun"));
        await using var keepers = new PlayedKeepers();
        var log = new TestServer.Lines();
        var parts = new ServerParts
        {
            Logging = logging => logging.AddProvider(log),
            Keepers = keepers,
            SearchPath = SearchPath,
        };
        await using (
            await ServerApplication.StartAsync(
                new ServeOptions
                {
                    DataDirectory = _data,
                    Port = 0,
                    MediaPort = 0,
                },
                parts,
                Token
            )
        )
        {
            Assert.Contains("No desktop can start: newuidmap and crun are not installed: sudo apt-get install crun uidmap", log.Text);
        }
    }

    [Fact]
    public void Problem_AllAreThere_IsNone()
    {
        PutPrograms(but: null);
        Assert.Null(KeeperPrograms.Problem(DesktopDriver.Container, SearchPath));
        Assert.Equal(
            "mke2fs, setpriv and cp are not installed: sudo apt-get install coreutils e2fsprogs util-linux",
            KeeperPrograms.Problem(DesktopDriver.Qemu("qemu", kvm: true), SearchPath, [])
        );
    }

    [Theory]
    [InlineData("/nowhere/vmm", "/nowhere/vmm is not installed")]
    [InlineData("/bin/sh", null)]
    public void Problem_ProgramWithItsPath_IsLookedForThere(string program, string? problem) =>
        Assert.Equal(problem, Programs.Problem("", program));

    /// <summary>An ordinary user's PATH on Debian: what is installed is not to be installed.</summary>
    [Fact]
    public void Problem_InAFolderThatPathLacks_SaysWhere()
    {
        PutPrograms(but: null);
        Assert.Equal(
            $"nft is in {SearchPath}, which PATH lacks: export PATH=$PATH:{SearchPath}",
            Programs.Problem("/nowhere", [SearchPath], ["nft"])
        );
        Assert.Equal(
            $"mke2fs is not installed; ip and nft are in {SearchPath}, which PATH lacks: sudo apt-get install e2fsprogs; export PATH=$PATH:{SearchPath}",
            Programs.Problem("/nowhere", [SearchPath], ["ip", "mke2fs", "nft"])
        );
    }

    /// <summary>What a container needs; unshare runs its command as it is, as only the removal of a directory comes so far.</summary>
    private void PutPrograms(string? but)
    {
        Directory.CreateDirectory(SearchPath);
        foreach (
            var name in ((string[])["setsid", "unshare", "newuidmap", "newgidmap", "ip", "nft", "nsenter", "crun"]).Where(name =>
                name != but
            )
        )
        {
            var file = Path.Combine(SearchPath, name);
            File.WriteAllText(file, "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"/bin/$@\"\n");
            File.SetUnixFileMode(file, Executable);
        }
    }
}
