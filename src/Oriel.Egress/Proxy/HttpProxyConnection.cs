using System.Net;
using System.Net.Sockets;
using System.Text;
using Oriel.Egress.Dialing;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;
using Oriel.Protocol;

namespace Oriel.Egress.Proxy;

/// <summary>
/// One client connection to the explicit proxy: CONNECT, or a row of absolute-form requests (RFC 9112 section 3.2.2) with keep-alive on
/// both sides. The connection to the last target is kept for the next request to the same target; each request is judged anew.
/// </summary>
internal sealed partial class HttpProxyConnection(
    EgressSession session,
    GuestConnection connections,
    HttpReader guest,
    Socket guestSocket,
    EgressOptions options
)
{
    private const int MaxLingerBytes = 4 * 1024 * 1024;
    private static readonly TimeSpan LingerTime = TimeSpan.FromSeconds(5);

    private Remote? _remote;

    private sealed record Remote(
        string Host,
        int Port,
        UpstreamProxy? Upstream,
        Stream Stream,
        Socket Socket,
        HttpReader Reader,
        IPAddress? Address
    )
    {
        /// <summary>The upstream is asked request by request and not for a tunnel.</summary>
        public bool IsForwarding { get; init; }

        /// <summary>Has answered a request: the target may have closed it since.</summary>
        public bool IsUsed { get; set; }
    }

    /// <summary>Every body that the guest announced has been read; else its bytes may stand in the way of the last answer.</summary>
    private bool _isDrained = true;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ServeNextAsync(cancellationToken)) { }
        }
        catch (HttpFormatException e)
        {
            _isDrained = false;
            await HttpAnswers.ErrorAsync(guest.Stream, 400, EgressReason.BadRequest, close: true, cancellationToken, e.Message);
        }
        finally
        {
            _remote?.Stream.Dispose();
        }

        if (!_isDrained)
        {
            await LingerAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Ends the connection so that the guest can read the answer: what it still sends is read away for a while (RFC 9112 section 9.6).
    /// A close with unread bytes would reset the connection.
    /// </summary>
    private async Task LingerAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(LingerTime);
        var buffer = new byte[16 * 1024];
        try
        {
            guestSocket.Shutdown(SocketShutdown.Send);
            for (var left = MaxLingerBytes; left > 0; )
            {
                var count = await guest.ReadAsync(buffer, deadline.Token);
                if (count == 0)
                {
                    return;
                }

                left -= count;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The guest has gone, or sends on and on.
        }
    }

    private async Task<bool> ServeNextAsync(CancellationToken cancellationToken)
    {
        byte[]? head;
        using (var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            deadline.CancelAfter(options.HeadTimeout);
            head = await guest.ReadHeadAsync(deadline.Token);
        }

        if (head is null)
        {
            return false;
        }

        var request = HttpRequestHead.Parse(head);
        if (request.IsConnect)
        {
            await ConnectAsync(request, cancellationToken);
            return false;
        }

        var body = request.Head.Framing(BodyKind.None);
        if (request is { Host: GuestNetwork.CanaryHost, Port: 80 })
        {
            var closing = request.WantsClose || body.Kind != BodyKind.None;
            await GuestConnection.AnswerCanaryAsync(session, guest.Stream, request.OriginForm, closing, cancellationToken);
            return !closing;
        }

        if (request.MaxForwards == 0)
        {
            return await AnswerForItselfAsync(request, body, cancellationToken);
        }

        return await ForwardAsync(request, body, cancellationToken);
    }

    private async Task ConnectAsync(HttpRequestHead request, CancellationToken cancellationToken)
    {
        var record = session.Log.Begin(EgressKind.Connect, request.Host, request.Port);
        var (dialled, open) = await connections.OpenAsync(session, record, cancellationToken);
        if (open is null)
        {
            await HttpAnswers.ErrorAsync(
                guest.Stream,
                HttpAnswers.StatusOf(dialled.Refused, dialled.Reason!),
                dialled.Reason!,
                close: true,
                cancellationToken
            );
            return;
        }

        await using var remote = dialled.Stream!;
        try
        {
            await guest.Stream.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), cancellationToken);
            await Tunnel.RunAsync(guest, guestSocket, new HttpReader(remote), dialled.Socket!, record, options, cancellationToken);
        }
        finally
        {
            session.Close(open);
            record.Complete();
        }
    }

    /// <summary>The request may not be forwarded any further, and is answered as the last server would (RFC 9110 section 7.6.2).</summary>
    private async Task<bool> AnswerForItselfAsync(HttpRequestHead request, BodyFraming body, CancellationToken cancellationToken)
    {
        var closing = request.WantsClose || body.Kind != BodyKind.None;
        _isDrained = body.Kind == BodyKind.None;
        var status = request.Method == "OPTIONS" ? "200 OK" : "405 Method Not Allowed";
        await HttpAnswers.TextAsync(guest.Stream, status, "", "Allow: OPTIONS\r\n", closing, cancellationToken);
        return !closing;
    }

    private async Task<bool> ForwardAsync(HttpRequestHead request, BodyFraming body, CancellationToken cancellationToken)
    {
        var record = session.Log.Begin(EgressKind.Http, request.Host, request.Port);
        OpenConnection? open = null;
        try
        {
            while (true)
            {
                (open, var refusal) = await ReuseOrDialAsync(request, record, cancellationToken);
                if (open is null)
                {
                    return await RefuseAsync(request, body, refusal, cancellationToken);
                }

                if (await ExchangeAsync(request, body, record, _remote!, cancellationToken) is { } mayContinue)
                {
                    return mayContinue;
                }

                // The target had closed the kept connection: once more, on a new one.
                session.Close(open);
            }
        }
        finally
        {
            if (open is not null)
            {
                session.Close(open);
            }

            record.Complete();
        }
    }

    private async Task<bool> RefuseAsync(HttpRequestHead request, BodyFraming body, DialResult refusal, CancellationToken cancellationToken)
    {
        // Without a body the next request can follow; with one, its bytes would be taken for the next request.
        var closing = request.WantsClose || body.Kind != BodyKind.None;
        _isDrained = body.Kind == BodyKind.None;
        await HttpAnswers.ErrorAsync(
            guest.Stream,
            HttpAnswers.StatusOf(refusal.Refused, refusal.Reason!),
            refusal.Reason!,
            closing,
            cancellationToken
        );
        return !closing;
    }

    private async Task<(OpenConnection? Open, DialResult Refusal)> ReuseOrDialAsync(
        HttpRequestHead request,
        EgressRecord record,
        CancellationToken cancellationToken
    )
    {
        var policy = session.Policy;
        var forwarding = policy.Upstream is { Type: UpstreamType.Http } && !request.IsUpgrade;
        if (_remote is { } kept)
        {
            // Readable between two exchanges means that the target has closed, or speaks out of turn.
            var same =
                kept.Host == request.Host
                && kept.Port == request.Port
                && Equals(kept.Upstream, policy.Upstream)
                && kept.IsForwarding == forwarding;
            if (same && !kept.Reader.HasBuffered && !kept.Socket.Poll(0, SelectMode.SelectRead))
            {
                var reopened = new OpenConnection(record, kept.Socket, kept.Address);
                if (session.TryOpen(reopened, kept.Upstream))
                {
                    record.Dialled(kept.Address?.ToString());
                    return (reopened, default);
                }
            }

            _remote = null;
            await kept.Stream.DisposeAsync();
        }

        var (dialled, open) = await connections.OpenAsync(session, record, cancellationToken, tunnel: !forwarding);
        if (open is not null)
        {
            _remote = new Remote(
                request.Host,
                request.Port,
                policy.Upstream,
                dialled.Stream!,
                dialled.Socket!,
                new HttpReader(dialled.Stream!),
                dialled.Address
            )
            {
                IsForwarding = forwarding,
            };
        }

        return (open, dialled);
    }

    private void Drop()
    {
        _remote?.Stream.Dispose();
        _remote = null;
    }
}
