using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Agent.Session;
using Oriel.Linux;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Configuration;

/// <summary>
/// Makes a machine that is restored from a snapshot, or is a fork, another than its siblings: what was in memory is in theirs as well.
/// </summary>
internal sealed class GuestRenewal(AgentSessions sessions, SystemIdentity identity, StepJournal steps)
{
    private const int MaxIdLength = 32;

    /// <exception cref="RpcException">InvalidArgument: not a key, a name or randomness. Internal: it could not be done.</exception>
    public RenewReply Renew(RenewRequest request)
    {
        var isResumed = request.AgentKey.IsEmpty && request.DesktopId.Length == 0;
        if (
            (!isResumed && (request.AgentKey.Length != GuestRules.KeyBytes || request.DesktopId.Length is 0 or > MaxIdLength))
            || request.Entropy.Length > GuestRules.MaxEntropyBytes
            || request.WallClockUs <= 0
        )
        {
            throw new RpcException(
                new Status(StatusCode.InvalidArgument, "agent_key, desktop_id, wall_clock_us or entropy is not of its kind")
            );
        }

        var newest = steps.NewestUs;
        var step = isResumed ? null : steps.Begin(StepNames.GuestRenew);
        try
        {
            identity.ApplyToKernel(request.WallClockUs, request.Entropy.Span);
            if (!isResumed)
            {
                SystemIdentity.RenewIds();
                XServer.RenewCookie(UserAccounts.Desktop());
                sessions.Rekey(request.AgentKey.ToByteArray(), request.DesktopId);
            }

            step?.Done();
            return new RenewReply { SinceBootUs = newest };
        }
        catch (Exception e) when (e is IOException or LinuxException)
        {
            step?.Fail(e.Message);
            throw new RpcException(new Status(StatusCode.Internal, e.Message));
        }
    }
}
