using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Channels;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Keepers;

/// <summary>
/// One connection to a keeper: what it tells, its events from the first, and commands to it. The connection ends when the keeper does, by
/// any means, because the kernel closes its sockets.
/// </summary>
internal sealed class KeeperClient : IAsyncDisposable
{
    /// <summary>A longer line is not the keeper's.</summary>
    private const int MaxLineBytes = 256 * 1024;

    private readonly NetworkStream _stream;
    private readonly SemaphoreSlim _writing = new(1, 1);

    private KeeperClient(NetworkStream stream) => _stream = stream;

    /// <exception cref="SocketException">Nobody listens on the socket.</exception>
    public static async Task<KeeperClient> ConnectAsync(string socketPath, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
            return new KeeperClient(new NetworkStream(socket, ownsSocket: true));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Reads until the keeper closes the connection.</summary>
    /// <exception cref="InvalidDataException">A line that is too long or is no message.</exception>
    public async IAsyncEnumerable<KeeperMessage> ReadAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var reader = PipeReader.Create(_stream, new StreamPipeReaderOptions(leaveOpen: true));
        while (true)
        {
            ReadResult result;
            try
            {
                result = await reader.ReadAsync(cancellationToken);
            }
            catch (IOException)
            {
                yield break;
            }

            var buffer = result.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = buffer.Slice(0, end);
                buffer = buffer.Slice(buffer.GetPosition(1, end));
                if (line.Length > 0)
                {
                    yield return Parse(line);
                }
            }

            if (buffer.Length > MaxLineBytes)
            {
                throw new InvalidDataException($"The keeper sent a line of more than {MaxLineBytes} bytes.");
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
            {
                yield break;
            }
        }
    }

    /// <exception cref="IOException">The keeper is gone.</exception>
    public async Task SendAsync(KeeperCommand command, CancellationToken cancellationToken)
    {
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(command, KeeperMessageContext.Default.KeeperCommand), (byte)'\n'];
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await _stream.WriteAsync(line, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _writing.Dispose();
    }

    private static KeeperMessage Parse(ReadOnlySequence<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            return JsonSerializer.Deserialize(ref reader, KeeperMessageContext.Default.KeeperMessage)
                ?? throw new InvalidDataException("The keeper sent an empty message.");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw new InvalidDataException("The keeper sent a line that is no message.", e);
        }
    }
}
