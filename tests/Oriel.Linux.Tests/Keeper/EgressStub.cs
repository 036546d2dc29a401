using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Oriel.Protocol.Keeper;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>
/// The server's end of the egress socket: reads the preamble, then all that the guest sends until its end, then answers and closes.
/// </summary>
internal sealed class EgressStub : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Channel<(EgressPreamble, string)> _seen = Channel.CreateUnbounded<(EgressPreamble, string)>();
    private readonly List<Socket> _held = [];
    private readonly bool _hold;
    private readonly bool _refuse;

    /// <param name="hold">Keeps each connection open without reading on.</param>
    /// <param name="refuse">Closes each transparent connection instead of saying that the target is connected.</param>
    public EgressStub(string path, bool hold = false, bool refuse = false)
    {
        _hold = hold;
        _refuse = refuse;
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(2048);
        _ = AcceptAsync();
    }

    public int Connections { get; private set; }

    /// <summary>The next connection that has come to its end, and what the guest sent.</summary>
    public async Task<(EgressPreamble Preamble, string Sent)> NextAsync()
    {
        using var limit = new CancellationTokenSource(KeeperRing.Deadline);
        return await _seen.Reader.ReadAsync(limit.Token);
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_held)
        {
            _held.ForEach(socket => socket.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                lock (_held)
                {
                    _held.Add(socket);
                    Connections++;
                }

                if (!_hold)
                {
                    _ = ServeAsync(socket);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var all = new MemoryStream();
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        var line = new List<byte>();
        for (int next; (next = stream.ReadByte()) is not ('\n' or < 0); )
        {
            line.Add((byte)next);
        }

        var preamble = JsonSerializer.Deserialize(line.ToArray(), KeeperJsonContext.Default.EgressPreamble)!;
        if (preamble.AwaitsVerdict)
        {
            if (_refuse)
            {
                return;
            }

            stream.WriteByte(EgressPreamble.Connected);
        }

        await stream.CopyToAsync(all);
        var sent = Encoding.UTF8.GetString(all.ToArray());
        // Answered only after the guest's half-close, so an answer that arrives proves that each direction ends by itself.
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"{preamble.Kind} took {sent.Length}\n"));
        _seen.Writer.TryWrite((preamble, sent));
    }
}
