using System.Diagnostics;
using System.Security.Cryptography;
using Oriel.Agent.Screens;
using Oriel.Screen.X11.Raw;

namespace Oriel.Linux.Tests.Display;

/// <summary>A real Xvfb of the test's own, with a cookie of its own.</summary>
internal sealed class XServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _directory;

    private XServer(Process process, string directory, XDisplayAddress address) =>
        (_process, _directory, Address) = (process, directory, address);

    internal XDisplayAddress Address { get; }

    internal int ProcessId => _process.Id;

    /// <summary>The size is also the largest that the screen can become.</summary>
    internal static async Task<XServer> StartAsync(int width = 640, int height = 480)
    {
        if (!File.Exists("/usr/bin/Xvfb"))
        {
            Assert.Skip("Xvfb is not installed (package xvfb)");
        }

        var directory = Directory.CreateTempSubdirectory("oriel-x-").FullName;
        var authority = Path.Combine(directory, "Xauthority");
        await File.WriteAllBytesAsync(authority, XAuthority.FormatCookie(":0", RandomNumberGenerator.GetBytes(16)));
        var start = new ProcessStartInfo(
            "/usr/bin/Xvfb",
            ["-displayfd", "1", "-screen", "0", $"{width}x{height}x24", "-nolisten", "tcp", "-auth", authority, "-noreset"]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var number = await process.StandardOutput.ReadLineAsync(deadline.Token);
        if (string.IsNullOrEmpty(number))
        {
            Assert.Fail($"Xvfb did not start: {await errors}");
        }

        // The cookie's entry holds for any display of this file.
        await File.WriteAllBytesAsync(
            authority,
            ReplaceNumber(await File.ReadAllBytesAsync(authority, deadline.Token), number),
            deadline.Token
        );
        return new XServer(process, directory, new XDisplayAddress($":{number}", authority));
    }

    internal async Task SetLayoutAsync(string layout)
    {
        if (!File.Exists("/usr/bin/setxkbmap"))
        {
            Assert.Skip("setxkbmap is not installed (package x11-xkb-utils)");
        }

        using var process = Process.Start(
            new ProcessStartInfo("/usr/bin/setxkbmap", ["-layout", layout])
            {
                Environment = { ["DISPLAY"] = Address.Name, ["XAUTHORITY"] = Address.AuthorityPath },
            }
        )!;
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }

    internal void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static byte[] ReplaceNumber(byte[] file, string number) =>
        XAuthority.FormatCookie($":{number}", XAuthority.ParseCookie(file, "0"));
}
