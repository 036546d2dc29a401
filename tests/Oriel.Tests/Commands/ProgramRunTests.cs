using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.EntityFrameworkCore;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Configuration;
using Oriel.Server.Instance;
using Oriel.Tests.Server;

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
    public async Task Token_RotateWithoutAServer_ReplacesTheFileAndEndsAllSessions()
    {
        string old;
        await using (var server = await TestServer.StartAsync(_data))
        {
            old = server.Token;
            await SignInAsync(server);
        }

        var layout = new DataLayout(_data);
        var (code, output, errors) = await RunAsync("token", "--rotate", "--data", _data);

        Assert.Equal((0, ""), (code, errors));
        Assert.NotEqual(old + "\n", output);
        Assert.Equal(output, await File.ReadAllTextAsync(layout.Token, Token));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(layout.Token));
        await using var db = new DesktopDbContextFactory(layout.Database).CreateDbContext();
        Assert.False(await db.Sessions.AnyAsync(Token) || await db.Tokens.AnyAsync(Token));
    }

    /// <summary>The old token goes to the server's own certificate only.</summary>
    [Theory]
    [InlineData("http")]
    [InlineData("https")]
    [InlineData("another's certificate")]
    public async Task Token_RotateWithAServer_HasItReplaceItsToken(string how)
    {
        var pem = Path.Combine(_data, "test.pem");
        using (var key = ECDsa.Create(ECCurve.NamedCurves.nistP256))
        using (
            var made = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256).CreateSelfSigned(
                DateTimeOffset.UtcNow.AddDays(-1),
                DateTimeOffset.UtcNow.AddDays(1)
            )
        )
        {
            await File.WriteAllTextAsync(pem, made.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem() + "\n", Token);
        }

        await using var server = await TestServer.StartAsync(
            _data,
            change: options => how == "http" ? options : options with { Certificate = pem, CertificateKey = pem }
        );
        using var held = ServerLock.TryTake(server.Layout);
        Assert.NotNull(held);
        new ServerInstance(
            Environment.ProcessId,
            server.Url,
            how == "another's certificate" ? "AA:BB" : server.Application.CertificateFingerprint
        ).Write(server.Layout);
        var (code, output, errors) = await RunAsync("token", "--rotate", "--data", _data);
        var file = await File.ReadAllTextAsync(server.Layout.Token, Token);
        if (how == "another's certificate")
        {
            Assert.Equal((1, server.Token + "\n"), (code, file));
            Assert.Contains($"the server at {server.Url} (process {Environment.ProcessId}) did not replace its token", errors);
            return;
        }

        Assert.Equal((0, "", file), (code, errors, output));
        Assert.NotEqual(server.Token + "\n", output);
        if (how == "http")
        {
            server.Api.DefaultRequestHeaders.Authorization = new("Bearer", output.Trim());
            using var taken = await server.Api.GetAsync("/api/session", Token);
            Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        }

        // The file is no longer what the server takes: it says what to do.
        await File.WriteAllTextAsync(server.Layout.Token, server.Token, Token);
        var (refused, _, why) = await RunAsync("token", "--rotate", "--data", _data);
        Assert.Equal(1, refused);
        Assert.Contains("the server does not take this token", why);
    }

    [Fact]
    public async Task Token_RotateWhileAServerStarts_SaysSoAndChangesNothing()
    {
        await using var server = await TestServer.StartAsync(_data);
        using var held = ServerLock.TryTake(server.Layout);
        var (code, _, errors) = await RunAsync("token", "--rotate", "--data", _data);

        Assert.Equal((1, $"oriel: a server on {_data} is just starting or ending: try again.\n"), (code, errors));
        Assert.Equal(server.Token + "\n", await File.ReadAllTextAsync(server.Layout.Token, Token));
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

    private static async Task SignInAsync(TestServer server)
    {
        var body = new StringContent($$"""{"token":"{{server.Token}}"}""", System.Text.Encoding.UTF8, "application/json");
        using var signedIn = await server.Anonymous.PostAsync("/api/session", body, Token);
        Assert.Equal(HttpStatusCode.OK, signedIn.StatusCode);
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
