using System.Buffers.Binary;
using System.Net.Sockets;
using Oriel.Agents;
using Oriel.Protocol;

namespace Oriel.Tests.Agents;

/// <summary>
/// Something in the agent's place that speaks HTTP/2 by hand, floods with frames that carry nothing, reads none of the answers, and takes
/// no second connection.
/// </summary>
public sealed class FrameGuardTests : IDisposable
{
    /// <summary>Far above what is borne at once, and nothing that a process would notice.</summary>
    private const int Frames = 100_000;

    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-frames-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("PING", new byte[] { 0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 })]
    [InlineData("SETTINGS", new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 })]
    [InlineData("PRIORITY", new byte[] { 0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 16 })]
    [InlineData("WINDOW_UPDATE", new byte[] { 0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1 })]
    [InlineData("ALTSVC", new byte[] { 0, 0, 0, 10, 0, 0, 0, 0, 0 })]
    [InlineData("CONTINUATION", new byte[] { 0, 0, 0, 9, 0, 0, 0, 0, 1 })]
    public async Task Frames_ThatCarryNothing_EndTheConnection(string kind, byte[] frame)
    {
        var (sent, told, opening) = await FloodAsync(frame);

        Assert.True(sent < Frames, $"{sent} frames of {kind} were taken");
        Assert.Contains($"of type {frame[3]}", await told.WaitAsync(TimeSpan.FromMinutes(1), Token));
        Assert.NotNull(AgentUntrustedException.Of(await Assert.ThrowsAnyAsync<Exception>(() => opening)));
    }

    /// <summary>The client's stack refuses the first by itself, and ends the call, but not always its connection.</summary>
    [Fact]
    public async Task Frame_ThatHasNoMeaning_LeavesNoConnection()
    {
        var (sent, _, opening) = await FloodAsync([0, 0, 0, 77, 0, 0, 0, 0, 0]);

        Assert.True(sent < Frames, $"{sent} frames were taken");
        await Assert.ThrowsAnyAsync<Exception>(() => opening);
    }

    private async Task<(int Sent, Task<string> Told, Task<AgentConnection> Opening)> FloodAsync(byte[] frame)
    {
        var path = Path.Combine(_directory, "agent.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        var told = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var opening = AgentConnection.OpenAsync(
            path,
            new byte[GuestRules.KeyBytes],
            Token,
            new AgentPatience { Answer = TimeSpan.FromMinutes(2) },
            fault => told.TrySetResult(fault.Message)
        );
        using var socket = await listener.AcceptAsync(Token);
        await using var stream = new NetworkStream(socket);
        // The preface, and the server's own SETTINGS.
        await stream.ReadExactlyAsync(new byte[24], Token);
        await stream.WriteAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 }, Token);
        // Before its request is there, a frame of that stream is a fault of its own, which the client's stack sees.
        await ReadUntilHeadersAsync(stream);
        // As if an answer began that CONTINUATION goes on with: HEADERS of the first stream, without their end.
        byte[] begun = frame[3] == 9 ? [0, 0, 0, 1, 0, 0, 0, 0, 1] : [];
        await stream.WriteAsync(begun, Token);

        var sent = 0;
        try
        {
            for (; sent < Frames; sent += 100)
            {
                var flood = Enumerable.Repeat(frame, 100).SelectMany(bytes => bytes).ToArray();
                await stream.WriteAsync(flood, Token).AsTask().WaitAsync(TimeSpan.FromMinutes(1), Token);
            }
        }
        catch (IOException)
        {
            // Ended by the other side.
        }

        return (sent, told.Task, opening);
    }

    private static async Task ReadUntilHeadersAsync(NetworkStream stream)
    {
        const byte Headers = 1;
        var header = new byte[9];
        do
        {
            await stream.ReadExactlyAsync(header, Token);
            await stream.ReadExactlyAsync(new byte[BinaryPrimitives.ReadUInt32BigEndian(header) >> 8], Token);
        } while (header[3] != Headers);
    }
}
