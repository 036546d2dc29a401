using System.Buffers.Binary;
using System.Net.Http.Headers;
using Grpc.Core;
using Oriel.Protocol;

namespace Oriel.Agents;

/// <summary>
/// What an agent says passes here before anything is made of it: root in the guest can be the agent. Each message is judged by the five
/// bytes in front of it (gRPC over HTTP/2, Length-Prefixed-Message), so nothing is unpacked or reserved for one that is refused. Once an
/// agent has said what none says, every call ends with that fault and nothing is asked of it any more.
/// </summary>
internal sealed class AgentBorder : DelegatingHandler
{
    private const string Encoding = "grpc-encoding",
        AcceptedEncodings = "grpc-accept-encoding",
        Detail = "grpc-message";

    private readonly Action<AgentUntrustedException> _broken;
    private readonly CancellationTokenSource _ended = new();
    private AgentUntrustedException? _fault;

    /// <param name="inner">Its connections are watched too.</param>
    /// <param name="broken">Told of each answer that no agent gives, before the call fails.</param>
    public AgentBorder(SocketsHttpHandler inner, TimeProvider clock, Action<AgentUntrustedException> broken)
        : base(inner)
    {
        _broken = broken;
        var connect = inner.ConnectCallback!;
        inner.ConnectCallback = async (context, token) =>
        {
            ThrowIfBroken();
            return new FrameGuard(await connect(context, token), clock, Break, _ended.Token);
        };
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ThrowIfBroken();
        // It outlives this method, as the request's body does.
        var life = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ended.Token);
        try
        {
            return await SendAsync(request, life, cancellationToken);
        }
        catch (Exception e)
        {
            life.Dispose();
            // The stack tells of a connection that is cut in many ways, and dials anew for a call that had no answer yet.
            if (e is not AgentUntrustedException && !cancellationToken.IsCancellationRequested)
            {
                ThrowIfBroken();
            }

            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ended.Cancel();
        }

        base.Dispose(disposing);
    }

    private async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request,
        CancellationTokenSource life,
        CancellationToken cancellationToken
    )
    {
        // Without it, none is accepted.
        request.Headers.Remove(AcceptedEncodings);
        var response = await base.SendAsync(request, life.Token);
        var path = request.RequestUri!.AbsolutePath;
        var call = path[(path.LastIndexOf('/') + 1)..];
        if (response.Headers.TryGetValues(Encoding, out var encodings) && encodings.Any(encoding => encoding != "identity"))
        {
            response.Dispose();
            throw Break(call, "a compressed answer");
        }

        Clean(response.Headers);
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var content = new StreamContent(new Messages(this, call, response, body, life));
        foreach (var (name, values) in response.Content.Headers.NonValidated)
        {
            content.Headers.TryAddWithoutValidation(name, values);
        }

        response.Content = content;
        return response;
    }

    private AgentUntrustedException Break(string call, string what)
    {
        var fault = new AgentUntrustedException($"The agent sent what no agent sends: {what}, in {call}.");
        Break(fault);
        return fault;
    }

    private void Break(AgentUntrustedException fault)
    {
        Interlocked.CompareExchange(ref _fault, fault, null);
        _broken(fault);
        // What it ends is not ended by this thread, which may hold locks of the stack's.
        _ = _ended.CancelAsync();
    }

    private void ThrowIfBroken()
    {
        if (Volatile.Read(ref _fault) is { } fault)
        {
            throw new AgentUntrustedException(fault.Message);
        }
    }

    /// <summary>What an agent says of a status is shown wherever a call's failure is.</summary>
    private static void Clean(HttpResponseHeaders headers)
    {
        if (headers.TryGetValues(Detail, out var said))
        {
            var words = ForeignWords.Of(Uri.UnescapeDataString(said.First()));
            headers.Remove(Detail);
            headers.TryAddWithoutValidation(Detail, Uri.EscapeDataString(words));
        }
    }

    /// <summary>The body of one answer: messages, each with its prefix.</summary>
    /// <param name="call">Its name.</param>
    /// <param name="life">Of the whole call; this owns it.</param>
    private sealed class Messages(AgentBorder border, string call, HttpResponseMessage response, Stream body, CancellationTokenSource life)
        : Stream
    {
        private const int PrefixBytes = 5;

        private readonly CallBounds _bounds = CallBounds.Of(call);
        private PrefixScanner? _prefixes;
        private long _messages;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read;
            try
            {
                read = await body.ReadAsync(buffer, cancellationToken);
            }
            catch (IOException)
            {
                border.ThrowIfBroken();
                throw;
            }

            Scan(buffer.Span[..read]);
            if (read == 0 && !buffer.IsEmpty)
            {
                Clean(response.TrailingHeaders);
            }

            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                body.Dispose();
                life.Dispose();
            }

            base.Dispose(disposing);
        }

        private void Scan(ReadOnlySpan<byte> bytes) => (_prefixes ??= new PrefixScanner(PrefixBytes, Judge)).Scan(bytes);

        /// <returns>The length of the message that it is in front of.</returns>
        private long Judge(ReadOnlySpan<byte> prefix)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(prefix[1..]);
            if (prefix[0] != 0)
            {
                throw border.Break(call, "a compressed message");
            }

            if (length > _bounds.MessageBytes)
            {
                throw border.Break(call, $"a message of {length} bytes ({_bounds.MessageBytes} at most)");
            }

            if (++_messages > _bounds.Messages)
            {
                throw border.Break(call, $"more than {_bounds.Messages} messages");
            }

            return length;
        }
    }
}

/// <summary>What answers on the agent's socket is not this desktop's agent, or not as Oriel made it.</summary>
public class AgentUntrustedException(string message) : Exception(message)
{
    /// <summary>Where it is what broke a call; else null.</summary>
    public static AgentUntrustedException? Of(Exception fault) =>
        fault as AgentUntrustedException ?? (fault as RpcException)?.Status.DebugException as AgentUntrustedException;
}

/// <summary>What answered on the agent's socket could not prove that it knows the agent key.</summary>
public sealed class AgentIdentityException()
    : AgentUntrustedException("What answers on the agent socket does not know this desktop's agent key.");
