using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Oriel.Linux.Descriptors;

namespace Oriel.Tests.Processes;

/// <summary>It leaves this process no descriptor for a moment.</summary>
[Collection(nameof(Alone))]
public sealed class AcceptingTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-accepting-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task AcceptNext_WithoutADescriptor_SaysSoOnceAndTakesTheConnectionLater()
    {
        var address = new UnixDomainSocketEndPoint(Path.Combine(_directory, "listen.sock"));
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(address);
        listener.Listen();
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(address, Token);
        var told = 0;
        using var first = new SemaphoreSlim(0);
        var highest = Directory
            .EnumerateFileSystemEntries("/proc/self/fd")
            .Max(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));
        var had = await LimitAsync(highest + 1);
        var taken = TakeAll();
        try
        {
            var accepting = listener
                .AcceptNextAsync(
                    Token,
                    _ =>
                    {
                        Interlocked.Increment(ref told);
                        first.Release();
                    }
                )
                .AsTask();
            await first.WaitAsync(Token);
            Assert.False(accepting.IsCompleted);

            taken.ForEach(handle => handle.Dispose());
            using var accepted = await accepting;
            Assert.Equal(1, told);
            await client.SendAsync(new byte[] { 7 }, Token);
            var got = new byte[1];
            Assert.Equal(1, await accepted.ReceiveAsync(got, Token));
            Assert.Equal(7, got[0]);
        }
        finally
        {
            taken.ForEach(handle => handle.Dispose());
            await LimitAsync(had);
        }
    }

    private static List<IDisposable> TakeAll()
    {
        var taken = new List<IDisposable>();
        try
        {
            while (true)
            {
                taken.Add(File.OpenHandle("/dev/null"));
            }
        }
        catch (IOException)
        {
            return taken;
        }
    }

    /// <returns>The limit as it was.</returns>
    private static async Task<int> LimitAsync(int descriptors)
    {
        var line = (await File.ReadAllLinesAsync("/proc/self/limits", Token)).Single(text =>
            text.StartsWith("Max open files", StringComparison.Ordinal)
        );
        var start = new ProcessStartInfo("prlimit", ["--pid", $"{Environment.ProcessId}", $"--nofile={descriptors}:"]);
        using var prlimit = Process.Start(start)!;
        await prlimit.WaitForExitAsync(Token);
        Assert.Equal(0, prlimit.ExitCode);
        return int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], CultureInfo.InvariantCulture);
    }
}
