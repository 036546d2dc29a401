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
internal sealed class HttpProxyConnection(
    EgressSession session,
    GuestConnection connections,
    HttpReader guest,
    Socket guestSocket,
    EgressOptions options
)
{
    private Remote? _remote;

    private sealed record Remote(
        string Host,
        int Port,
        UpstreamProxy? Upstream,
        Stream Stream,
        Socket Socket,
        HttpReader Reader,
        IPAddress? Address
    );

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ServeNextAsync(cancellationToken)) { }
        }
        catch (HttpFormatException e)
        {
            await HttpAnswers.ErrorAsync(guest.Stream, 400, EgressReason.BadRequest, close: true, cancellationToken, e.Message);
        }
        finally
        {
            _remote?.Stream.Dispose();
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
            await Tunnel.RunAsync(
                guest,
                guestSocket,
                new HttpReader(remote),
                dialled.Socket!,
                record.CountUp,
                record.CountDown,
                cancellationToken
            );
        }
        finally
        {
            session.Close(open);
            record.Complete();
        }
    }

    private async Task<bool> ForwardAsync(HttpRequestHead request, BodyFraming body, CancellationToken cancellationToken)
    {
        var record = session.Log.Begin(EgressKind.Http, request.Host, request.Port);
        OpenConnection? open = null;
        try
        {
            (open, var refusal) = await ReuseOrDialAsync(request, record, cancellationToken);
            if (open is null)
            {
                // Without a body the next request can follow; with one, its bytes would be taken for the next request.
                var closing = request.WantsClose || body.Kind != BodyKind.None;
                await HttpAnswers.ErrorAsync(
                    guest.Stream,
                    HttpAnswers.StatusOf(refusal.Refused, refusal.Reason!),
                    refusal.Reason!,
                    closing,
                    cancellationToken
                );
                return !closing;
            }

            return await ExchangeAsync(request, body, record, _remote!, cancellationToken);
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

    private async Task<(OpenConnection? Open, DialResult Refusal)> ReuseOrDialAsync(
        HttpRequestHead request,
        EgressRecord record,
        CancellationToken cancellationToken
    )
    {
        var policy = session.Policy;
        if (_remote is { } kept)
        {
            // Readable between two exchanges means that the target has closed, or speaks out of turn.
            var same = kept.Host == request.Host && kept.Port == request.Port && Equals(kept.Upstream, policy.Upstream);
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

        var (dialled, open) = await connections.OpenAsync(session, record, cancellationToken);
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
            );
        }

        return (open, dialled);
    }

    private async Task<bool> ExchangeAsync(
        HttpRequestHead request,
        BodyFraming body,
        EgressRecord record,
        Remote remote,
        CancellationToken cancellationToken
    )
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var sending = Task.FromResult(false);
        var keep = false;
        try
        {
            var head = request.Head.Rewrite(
                $"{request.Method} {request.OriginForm} HTTP/1.1",
                request.IsUpgrade ? "Upgrade" : null,
                request.IsUpgrade
            );
            await remote.Stream.WriteAsync(head, cancellationToken);
            record.CountUp(head.Length);
            sending = SendBodyAsync(body, record, remote, abandoned.Token);
            if (await ForwardHeadsAsync(request, record, remote, cancellationToken) is { } plan)
            {
                if (plan.Switched)
                {
                    await Tunnel.RunAsync(
                        guest,
                        guestSocket,
                        remote.Reader,
                        remote.Socket,
                        record.CountUp,
                        record.CountDown,
                        cancellationToken
                    );
                    return false;
                }

                await HttpBody.CopyAsync(remote.Reader, guest.Stream, plan.Framing, record.CountDown, cancellationToken);
                // An answer before the end of the upload leaves both connections in the middle of a message.
                var sent = sending.IsCompletedSuccessfully && sending.Result;
                keep = sent && plan.KeepRemote;
                return sent && plan.KeepGuest;
            }

            return false;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // The target or the guest broke off within the body: nothing that could be said would reach the guest as a message of its own.
            record.Fail(EgressReason.ConnectFailed);
            return false;
        }
        finally
        {
            await abandoned.CancelAsync();
            await sending;
            if (!keep)
            {
                Drop();
            }
        }
    }

    /// <summary>Never throws; when the guest breaks off the upload, so does the connection to the target, and the exchange ends.</summary>
    private async Task<bool> SendBodyAsync(BodyFraming body, EgressRecord record, Remote remote, CancellationToken cancellationToken)
    {
        try
        {
            await HttpBody.CopyAsync(guest, remote.Stream, body, record.CountUp, cancellationToken);
            return true;
        }
        catch (Exception e) when (e is OperationCanceledException or BodyRefusedException)
        {
            // A target may answer before it has all, and take no more; where it does not answer, that is what ends the exchange.
            return false;
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            new OpenConnection(record, remote.Socket, remote.Address).Cut(EgressReason.BadRequest);
            return false;
        }
    }

    private readonly record struct ResponsePlan(BodyFraming Framing, bool KeepRemote, bool KeepGuest, bool Switched = false);

    /// <summary>
    /// Passes on interim responses and the final head; says how the final body is framed and what may be kept open after it. Null when the
    /// target gave no valid head: the guest has got a 502 then.
    /// </summary>
    private async Task<ResponsePlan?> ForwardHeadsAsync(
        HttpRequestHead request,
        EgressRecord record,
        Remote remote,
        CancellationToken cancellationToken
    )
    {
        while (true)
        {
            HttpHead response;
            int status;
            BodyFraming framing;
            try
            {
                var bytes =
                    await remote.Reader.ReadHeadAsync(cancellationToken)
                    ?? throw new HttpFormatException("the target closed without a response");
                record.CountDown(bytes.Length);
                response = HttpHead.Parse(bytes);
                status = StatusOf(response.StartLine);
                framing =
                    request.Method == "HEAD" || status is < 200 or 204 or 304
                        ? new BodyFraming(BodyKind.None)
                        : response.Framing(BodyKind.UntilClose);
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                record.Fail(EgressReason.ConnectFailed);
                await HttpAnswers.ErrorAsync(
                    guest.Stream,
                    502,
                    EgressReason.ConnectFailed,
                    close: true,
                    cancellationToken,
                    (e as HttpFormatException)?.Message
                );
                return null;
            }

            if (status == 101)
            {
                await guest.Stream.WriteAsync(response.Rewrite(response.StartLine, "Upgrade", upgrade: true), cancellationToken);
                return new ResponsePlan(framing, false, false, Switched: true);
            }

            if (status < 200)
            {
                await guest.Stream.WriteAsync(response.Rewrite(response.StartLine, null, upgrade: false), cancellationToken);
                continue;
            }

            var keepRemote =
                framing.Kind != BodyKind.UntilClose
                && !response.HasToken("Connection", "close")
                && !response.StartLine.StartsWith("HTTP/1.0", StringComparison.Ordinal);
            var keepGuest = framing.Kind != BodyKind.UntilClose && !request.WantsClose;
            await guest.Stream.WriteAsync(
                response.Rewrite(response.StartLine, keepGuest ? "keep-alive" : "close", upgrade: false),
                cancellationToken
            );
            return new ResponsePlan(framing, keepRemote, keepGuest);
        }
    }

    private static int StatusOf(string statusLine) =>
        statusLine.Length >= 12
        && statusLine.StartsWith("HTTP/1.", StringComparison.Ordinal)
        && int.TryParse(statusLine.AsSpan(9, 3), out var status)
        && status >= 100
            ? status
            : throw new HttpFormatException("the target's status line is malformed");

    private void Drop()
    {
        _remote?.Stream.Dispose();
        _remote = null;
    }
}
