using System.Diagnostics;
using Oriel.Protocol.Layout;
using Oriel.Server.Configuration;
using Oriel.Server.Instance;

namespace Oriel.Tests.Commands;

/// <summary>The program itself, on data directories of its own.</summary>
public sealed class ProgramRunTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("oriel-run-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    /// <summary>A shell stands for the server; the path is empty, as procps' kill is on no list of packages.</summary>
    [Fact]
    public async Task Down_RunningServer_IsEndedByNoOtherProgram()
    {
        using var server = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "cat; true", "oriel"]) { RedirectStandardInput = true })!;
        var layout = new DataLayout(_data);
        Directory.CreateDirectory(layout.Run);
        new ServerInstance(server.Id, "http://127.0.0.1:1", null).Write(layout);
        var (code, output, _) = await RunAsync("down", "--data", _data);

        Assert.Equal(0, code);
        Assert.Contains($"Stopping the server (process {server.Id})", output);
        Assert.True(server.HasExited);
    }

    [Fact]
    public async Task Token_FreshFolder_SaysHowToStartTheServer()
    {
        var (code, _, errors) = await RunAsync("token", "--data", _data);

        Assert.Equal((1, $"oriel: {_data} has no token yet: start the server first (./oriel up --data {_data}).\n"), (code, errors));
    }

    [Fact]
    public async Task ImageList_FolderThatDoesNotExist_SaysSoAndMakesNone()
    {
        var data = Path.Combine(_data, "none");
        var (code, _, errors) = await RunAsync("image", "list", "--data", data);

        Assert.Equal((1, $"oriel: {data} does not exist: ./oriel up makes it, and an image in it.\n"), (code, errors));
        Assert.False(Directory.Exists(data));
    }

    [Fact]
    public async Task Doctor_FolderThatDoesNotExist_MakesNone()
    {
        var data = Path.Combine(_data, "none");
        var (_, output, _) = await RunAsync("doctor", "--json", "--data", data);

        Assert.Contains("does not exist yet: ./oriel up makes it", output);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_data));
    }

    [Fact]
    public async Task Version_Asked_IsPrinted()
    {
        var (code, output, _) = await RunAsync("--version");

        Assert.Equal(0, code);
        Assert.StartsWith(typeof(ServeOptions).Assembly.GetName().Version!.ToString(3), output);
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "oriel"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = "/nowhere";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(Token);
        var errors = process.StandardError.ReadToEndAsync(Token);
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, await output, await errors);
    }
}
