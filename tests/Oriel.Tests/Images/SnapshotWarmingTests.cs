using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Oriel.Desktops.Node;
using Oriel.Desktops.Snapshots;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Commands;
using Oriel.Server.ImageTasks;
using Oriel.Tests.Server;
using Spectre.Console;

namespace Oriel.Tests.Images;

/// <summary>
/// <c>oriel image warm</c> and what <c>oriel image list</c> shows afterwards, over machines that are played; the commands themselves are
/// run as processes.
/// </summary>
public sealed class SnapshotWarmingTests : IDisposable
{
    private static readonly DesktopDriver Played = PlayedKeepers.Driver with { Accelerator = "kvm" };

    private readonly string _data = Directory.CreateTempSubdirectory("oriel-warming-").FullName;
    private readonly List<string> _reported = [];

    public SnapshotWarmingTests()
    {
        TestServer.AddImage(new DataLayout(_data).Images);
        File.WriteAllText(
            new DataLayout(_data).Templates,
            JsonSerializer.Serialize(
                new object[]
                {
                    new
                    {
                        name = "default",
                        warm = 3,
                        width = PlayedGuest.Width,
                        height = PlayedGuest.Height,
                    },
                    new
                    {
                        name = "large",
                        width = PlayedGuest.Width,
                        height = PlayedGuest.Height,
                        memoryBytes = 8L << 30,
                    },
                    new
                    {
                        name = "same",
                        width = PlayedGuest.Width,
                        height = PlayedGuest.Height,
                        egress = new { mode = "none" },
                    },
                    new { name = "unbuilt", image = "kiosk" },
                }
            )
        );
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task Warm_NoTemplateNamed_MakesOneOfEachMachineAndHasAnotherGoOnFromIt()
    {
        var keepers = new RestoringKeepers();
        Assert.Null(await WarmAsync(keepers));
        Assert.Equal([false, true, false, true], keepers.Started.Select(spec => spec.Snapshot!.IsRestore));
        Assert.Equal([3L << 30, 3L << 30, 8L << 30, 8L << 30], keepers.Started.Select(spec => spec.Limits.MemoryBytes));
        Assert.Contains("unbuilt: there is no usable image 'kiosk' (./oriel image list says why)", _reported);
        Assert.Contains("default, same: the snapshot is there, and a machine has gone on from it", _reported);
        Assert.Contains("large: the snapshot is there, and a machine has gone on from it", _reported);
        Assert.Equal([8L << 30, 3L << 30], (await ListAsync()).Select(one => one.Machine!.MemoryBytes));
        Assert.Equal(0, keepers.Played.Running);
        Assert.Equal(
            [new DataLayout(_data).Images, new DataLayout(_data).Templates],
            Directory.EnumerateFileSystemEntries(_data).Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Warm_OneTemplateNamed_MakesThatOneOnly()
    {
        Assert.Null(await WarmAsync(new RestoringKeepers(), "large"));
        Assert.Equal(8L << 30, Assert.Single(await ListAsync()).Machine!.MemoryBytes);
    }

    [Fact]
    public async Task Warm_OneThatIsThereAlready_IsTriedAndNotMadeAgain()
    {
        Assert.Null(await WarmAsync(new RestoringKeepers(), "same"));
        var keepers = new RestoringKeepers();
        Assert.Null(await WarmAsync(keepers, "same"));
        Assert.True(Assert.Single(keepers.Started).Snapshot!.IsRestore);
    }

    [Fact]
    public async Task Warm_SnapshotThatTheVmmRefuses_SaysWhyAndLeavesNothing()
    {
        var keepers = new RestoringKeepers();
        keepers.Played.Keeping = _ => Task.FromResult<string?>("no space is left");
        Assert.Equal("large: no snapshot was made: The machine could not be saved: no space is left", await WarmAsync(keepers, "large"));
        Assert.Empty(await ListAsync());
        Assert.Equal(0, keepers.Played.Running);
    }

    [Fact]
    public async Task Warm_StoreThatCannotBeWritten_SaysWhyAlthoughDesktopsBoot()
    {
        await File.WriteAllTextAsync(TestServer.ImageIn(_data).Snapshots, "in the way", Token);
        Assert.StartsWith("large: no snapshot can be begun: ", await WarmAsync(new RestoringKeepers(), "large"));
    }

    [Theory]
    [InlineData("nobody", "there is no template 'nobody'; there are: default, large, same, unbuilt")]
    [InlineData("unbuilt", "unbuilt: there is no usable image 'kiosk' (./oriel image list says why)")]
    public async Task Warm_TemplateThatCannotBe_SaysWhy(string template, string problem) =>
        Assert.Equal(problem, await WarmAsync(new RestoringKeepers(), template));

    [Fact]
    public async Task WarmCommand_DriverWithoutSnapshots_SaysWhatToDo()
    {
        var (code, _, errors) = await RunAsync("image", "warm", "--template", "large", "--driver", "container", "--data", _data);
        Assert.Equal(
            (1, "There is no snapshot: desktops of the driver container cannot be saved and restored; --driver qemu can"),
            (code, errors.Trim())
        );
    }

    [Fact]
    public async Task ListCommand_ImageWithSnapshots_ShowsThemAndWhyOneIsNotUsed()
    {
        Assert.Null(await WarmAsync(new RestoringKeepers(), "large"));
        const string Reason = "made with the driver played (kvm), this server has container";
        var (code, output, _) = await RunAsync("image", "list", "--json", "--driver", "container", "--data", _data);
        var shown = Assert.Single(JsonNode.Parse(output)![0]!["snapshots"]!.AsArray())!;
        Assert.Equal((0, "played", Reason), (code, shown["driver"]!.GetValue<string>(), shown["refused"]!.GetValue<string>()));
        Assert.Equal(8L << 30, shown["machine"]!["memoryBytes"]!.GetValue<long>());

        Assert.Contains($"not used: {Reason}", await TableAsync(DesktopDriver.Container));
        var fits = await TableAsync(Played);
        Assert.DoesNotContain("not used", fits);
        Assert.Contains($"played kvm {PlayedGuest.Width}x{PlayedGuest.Height}, 8192 MiB", fits);
    }

    private Task<string?> WarmAsync(RestoringKeepers keepers, params string[] templates) =>
        new SnapshotWarming(_data, Played, null, keepers.Played).RunAsync(templates, _reported.Add, Token);

    private Task<IReadOnlyList<SnapshotSummary>> ListAsync()
    {
        var store = new ImageStore(new DataLayout(_data).Images);
        return new GoldenSnapshots(Played, store, NullLogger<GoldenSnapshots>.Instance).ListAsync(store.FindUsable("desktop")!, Token);
    }

    private async Task<string> TableAsync(DesktopDriver driver)
    {
        var (images, problem) = await ImageList.ReadAsync(
            new ImageStore(new DataLayout(_data).Images),
            () => Task.FromResult<(DesktopDriver?, string?)>((driver, null)),
            Token
        );
        Assert.Null(problem);
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No });
        console.Profile.Width = 400;
        console.Write(ImageList.Table(images));
        return output.ToString();
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "oriel"), arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var output = process.StandardOutput.ReadToEndAsync(Token);
        var errors = await process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, await output, errors);
    }
}
