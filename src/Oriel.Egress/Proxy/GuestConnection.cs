using System.Net.Sockets;
using System.Text;
using Oriel.Egress.Dialing;
using Oriel.Egress.Log;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Egress.Proxy;

/// <summary>
/// Serves one connection that a keeper handed over: tells the kinds apart, asks policy, dials, relays, answers the canary.
/// </summary>
internal sealed class GuestConnection(EgressOptions options, Dialer dialer)
{
    public async Task ServeAsync(
        EgressSession session,
        EgressPreamble preamble,
        HttpReader guest,
        Socket guestSocket,
        CancellationToken cancellationToken
    )
    {
        var proxied = preamble.Kind == "proxy";
        if (!session.TryEnter())
        {
            if (proxied)
            {
                await HttpAnswers.ErrorAsync(guest.Stream, 503, EgressReason.TooMany, close: true, cancellationToken);
            }

            return;
        }

        try
        {
            if (proxied)
            {
                await new HttpProxyConnection(session, this, guest, guestSocket, options).RunAsync(cancellationToken);
            }
            else if (preamble.Kind == "transparent")
            {
                await ServeTransparentAsync(session, preamble, guest, guestSocket, cancellationToken);
            }
        }
        finally
        {
            session.Leave();
        }
    }

    /// <summary>Asks the policy and dials; on anything but success the record is completed with the reason.</summary>
    internal async Task<(DialResult Dialled, OpenConnection? Open)> OpenAsync(
        EgressSession session,
        EgressRecord record,
        CancellationToken cancellationToken,
        bool tunnel = true
    )
    {
        var policy = session.Policy;
        if (policy.Evaluate(record.Host, record.Port) is { Allowed: false } refused)
        {
            record.Refuse(refused.Reason!, refused.Rule);
            return (DialResult.Refuse(refused), null);
        }

        var dialled = await dialer.DialAsync(session.DesktopId, record.Host, record.Port, policy, tunnel, cancellationToken);
        if (dialled is not { Stream: not null, Socket: not null })
        {
            if (dialled.Refused)
            {
                record.Refuse(dialled.Reason!, dialled.Rule);
            }
            else
            {
                record.Fail(dialled.Reason!);
            }

            NoteInternet(session, dialled);
            return (dialled, null);
        }

        NoteInternet(session, dialled);
        var open = new OpenConnection(record, dialled.Socket, dialled.Address);
        if (!session.TryOpen(open, policy.Upstream))
        {
            await dialled.Stream.DisposeAsync();
            record.Refuse(EgressReason.PolicyChanged);
            return (DialResult.Refuse(EgressReason.PolicyChanged), null);
        }

        record.Dialled(dialled.Address?.ToString());
        return (dialled, open);
    }

    internal static async Task AnswerCanaryAsync(
        EgressSession session,
        Stream guest,
        string path,
        bool close,
        CancellationToken cancellationToken
    )
    {
        var nonce = path.TrimStart('/');
        await HttpAnswers.TextAsync(guest, "200 OK", session.CanaryBody(nonce), "", close, cancellationToken);
    }

    private static void NoteInternet(EgressSession session, in DialResult dialled)
    {
        if (dialled.Stream is not null && (dialled.Address is null || AddressGuard.IsGlobal(dialled.Address)))
        {
            session.SawInternet(true);
        }
        else if (
            dialled.Reason == EgressReason.NameNotFound
            || dialled.Reason == EgressReason.ConnectTimeout
            || dialled.Reason == EgressReason.UpstreamFailed
        )
        {
            session.SawInternet(false);
        }
    }

    private async Task ServeTransparentAsync(
        EgressSession session,
        EgressPreamble preamble,
        HttpReader guest,
        Socket guestSocket,
        CancellationToken cancellationToken
    )
    {
        var host = HostPattern.Normalize(preamble.Host ?? preamble.Address ?? "");
        if (host == GuestNetwork.CanaryHost)
        {
            await TellConnectedAsync(preamble, guest, cancellationToken);
            await ServeTransparentCanaryAsync(session, guest, cancellationToken);
            return;
        }

        var record = session.Log.Begin(EgressKind.Transparent, host, preamble.Port);
        if (!HostPattern.IsHostName(host) || preamble.Port == 0)
        {
            record.Refuse(EgressReason.BadRequest);
            return;
        }

        var (dialled, open) = await OpenAsync(session, record, cancellationToken);
        if (open is null)
        {
            return;
        }

        await using var remote = dialled.Stream!;
        try
        {
            await TellConnectedAsync(preamble, guest, cancellationToken);
            await Tunnel.RunAsync(guest, guestSocket, new HttpReader(remote), dialled.Socket!, record, options, cancellationToken);
        }
        finally
        {
            session.Close(open);
            record.Complete();
        }
    }

    private static async Task TellConnectedAsync(EgressPreamble preamble, HttpReader guest, CancellationToken cancellationToken)
    {
        if (preamble.AwaitsVerdict)
        {
            await guest.Stream.WriteAsync(new[] { EgressPreamble.Connected }, cancellationToken);
        }
    }

    private static async Task ServeTransparentCanaryAsync(EgressSession session, HttpReader guest, CancellationToken cancellationToken)
    {
        var head = await guest.ReadHeadAsync(cancellationToken);
        var parts = head is null ? [] : Encoding.Latin1.GetString(head).Split(' ', 3);
        if (parts is ["GET", var path, _])
        {
            await AnswerCanaryAsync(session, guest.Stream, path, close: true, cancellationToken);
        }
    }
}
