using System.Globalization;
using System.Net.Sockets;
using Oriel.Egress.Dialing;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;

namespace Oriel.Egress.Proxy;

// One request and its answer, between the guest and a target that is connected.
internal sealed partial class HttpProxyConnection
{
    /// <returns>Whether the guest's next request may follow; null when the target took nothing and may be asked again.</returns>
    private async Task<bool?> ExchangeAsync(
        HttpRequestHead request,
        BodyFraming body,
        EgressRecord record,
        Remote remote,
        CancellationToken cancellationToken
    )
    {
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var silence = new SilenceLimit(options.ResponseTimeout, cancellationToken);
        var sending = Task.FromResult(false);
        var keep = false;
        var isAnswered = false;
        try
        {
            var head = RequestHeadFor(request, remote);
            await remote.Stream.WriteAsync(head, silence.Token);
            record.CountUp(head.Length);
            sending = SendBodyAsync(body, record, remote, silence, abandoned.Token);
            if (await ForwardHeadsAsync(request, body, record, remote, silence.Token) is { } plan)
            {
                isAnswered = true;
                silence.Set(options.IdleTimeout);
                if (plan.Switched)
                {
                    await Tunnel.RunAsync(guest, guestSocket, remote.Reader, remote.Socket, record, options, cancellationToken);
                    return false;
                }

                await HttpBody.CopyAsync(
                    remote.Reader,
                    guest.Stream,
                    plan.Framing,
                    count =>
                    {
                        silence.Heard();
                        record.CountDown(count);
                    },
                    silence.Token,
                    withoutChunks: request.IsOld
                );
                remote.IsUsed = true;
                // An answer before the end of the upload leaves both connections in the middle of a message.
                var sent = sending.IsCompletedSuccessfully && sending.Result;
                keep = sent && plan.KeepRemote;
                _isDrained = sent;
                return sent && plan.KeepGuest;
            }

            _isDrained = sending.IsCompletedSuccessfully && sending.Result;
            return false;
        }
        catch (OperationCanceledException) when (silence.IsOver)
        {
            record.Fail(EgressReason.ConnectTimeout);
            if (!isAnswered)
            {
                _isDrained = sending.IsCompletedSuccessfully && sending.Result;
                await HttpAnswers.ErrorAsync(guest.Stream, 504, EgressReason.ConnectTimeout, close: true, cancellationToken);
            }

            return false;
        }
        catch (Exception e) when (e is IOException or SocketException && MayAskAgain(request, body, remote))
        {
            return null;
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

    /// <summary>
    /// The kept connection may have been closed by the target while the request was on its way. It is sent again where that does no harm
    /// (RFC 9112 section 9.3.1).
    /// </summary>
    private static bool MayAskAgain(HttpRequestHead request, BodyFraming body, Remote remote) =>
        remote.IsUsed && request.IsIdempotent && body.Kind == BodyKind.None;

    private byte[] RequestHeadFor(HttpRequestHead request, Remote remote)
    {
        var target = remote.IsForwarding ? request.AbsoluteForm : request.OriginForm;
        List<(string, string)> added = [];
        if (request.IsUpgrade)
        {
            added.Add(("Connection", "Upgrade"));
        }

        if (remote is { IsForwarding: true, Upstream: { } upstream } && UpstreamHandshake.Credentials(upstream) is { } credentials)
        {
            added.Add(("Proxy-Authorization", credentials));
        }

        if (request.MaxForwards is { } left)
        {
            added.Add(("Max-Forwards", (left - 1).ToString(CultureInfo.InvariantCulture)));
        }

        return request.Head.Rewrite(
            $"{request.Method} {target} HTTP/1.1",
            new HeadChange
            {
                Host = request.Authority,
                KeepUpgrade = request.IsUpgrade,
                Dropped = request.MaxForwards is null ? null : "Max-Forwards",
                Added = added,
            }
        );
    }

    /// <summary>Never throws; when the guest breaks off the upload, so does the connection to the target, and the exchange ends.</summary>
    private async Task<bool> SendBodyAsync(
        BodyFraming body,
        EgressRecord record,
        Remote remote,
        SilenceLimit silence,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await HttpBody.CopyAsync(
                guest,
                remote.Stream,
                body,
                count =>
                {
                    silence.Heard();
                    record.CountUp(count);
                },
                cancellationToken
            );
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
        BodyFraming body,
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
                remote.IsUsed = false;
                record.CountDown(bytes.Length);
                response = HttpHead.Parse(bytes, isResponse: true);
                status = StatusOf(response.StartLine);
                framing =
                    request.Method == "HEAD" || status is < 200 or 204 or 304
                        ? new BodyFraming(BodyKind.None)
                        : response.Framing(BodyKind.UntilClose);
                CheckForwardable(request, remote, status, response, framing);
            }
            catch (Exception e) when (e is IOException or SocketException && !MayAskAgain(request, body, remote))
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

            // Whatever the target's version, this hop speaks 1.1 (RFC 9110 section 2.5).
            var startLine = "HTTP/1.1" + response.StartLine[8..];
            if (status == 101)
            {
                var switching = new HeadChange { KeepUpgrade = true, Added = [("Connection", "Upgrade")] };
                await guest.Stream.WriteAsync(response.Rewrite(startLine, switching), cancellationToken);
                return new ResponsePlan(framing, false, false, Switched: true);
            }

            if (status < 200)
            {
                if (!request.IsOld)
                {
                    await guest.Stream.WriteAsync(response.Rewrite(startLine, new HeadChange()), cancellationToken);
                }

                continue;
            }

            var keepRemote =
                framing.Kind != BodyKind.UntilClose
                && !response.HasToken("Connection", "close")
                && !(response.Values("Transfer-Encoding").Any() && response.Values("Content-Length").Any())
                && !response.StartLine.StartsWith("HTTP/1.0", StringComparison.Ordinal);
            var keepGuest = framing.Kind != BodyKind.UntilClose && !request.WantsClose;
            var change = new HeadChange { WithoutChunks = request.IsOld, Added = [("Connection", keepGuest ? "keep-alive" : "close")] };
            await guest.Stream.WriteAsync(response.Rewrite(startLine, change), cancellationToken);
            return new ResponsePlan(framing, keepRemote, keepGuest);
        }
    }

    private static void CheckForwardable(HttpRequestHead request, Remote remote, int status, HttpHead response, BodyFraming framing)
    {
        if (status == 101 && !request.IsUpgrade)
        {
            throw new HttpFormatException("the target switches to a protocol that nobody asked for");
        }

        // The upstream's demand concerns its own client, which is not the guest.
        if (status == 407 && remote.IsForwarding)
        {
            throw new HttpFormatException("the upstream proxy refused the credentials");
        }

        var codings = response.Values("Transfer-Encoding").SelectMany(value => value.Split(',')).Select(coding => coding.Trim());
        if (
            request.IsOld
            && framing.Kind != BodyKind.None
            && codings.Any(coding => !coding.Equals("chunked", StringComparison.OrdinalIgnoreCase))
        )
        {
            throw new HttpFormatException("the target answers in a coding that HTTP/1.0 does not know");
        }
    }

    private static int StatusOf(string statusLine) =>
        statusLine.Length >= 12
        && statusLine.StartsWith("HTTP/1.", StringComparison.Ordinal)
        && int.TryParse(statusLine.AsSpan(9, 3), out var status)
        && status >= 100
            ? status
            : throw new HttpFormatException("the target's status line is malformed");
}
