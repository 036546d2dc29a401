using Oriel.Desktops.Agents;
using Oriel.Desktops.Attestation;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Steps;
using Oriel.Desktops.Templates;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Creation;

/// <summary>A running desktop that another is to be a copy of.</summary>
internal sealed class ForkSource(Desktop desktop, KeeperSpec keeper, AttestationDocument attestation)
{
    public byte[] AgentKey => keeper.AgentKey;

    /// <summary>The copy as a wish: all that the other one has, for as long from now on as it had from its own beginning.</summary>
    public DesktopSpec SpecOf(string name)
    {
        var snapshot = desktop.Snapshot;
        return new DesktopSpec
        {
            Template = snapshot.Template,
            Name = name,
            Image = snapshot.ImageName,
            Width = snapshot.Width,
            Height = snapshot.Height,
            Hostname = snapshot.Hostname,
            TimeZone = attestation.TimeZone,
            KeyboardLayout = attestation.KeyboardLayout,
            Egress = desktop.EgressPolicy,
            Limits = new DesktopLimits(keeper.Limits.MemoryBytes, keeper.Limits.Cpus, keeper.Limits.Pids, keeper.Limits.DiskBytes),
            Ttl = snapshot.ExpiresAt - snapshot.CreatedAt,
            IdleTimeout = snapshot.IdleTimeout,
            IdlePause = snapshot.IdlePause,
        };
    }

    /// <summary>
    /// What the copy must show as well: each file and variable that was proven when this one became ready, as they are now, and its windows.
    /// What somebody has removed since, or changed for some observers only, is not expected.
    /// </summary>
    /// <exception cref="Grpc.Core.RpcException">The agent does not answer.</exception>
    public async Task<Expectation> ObserveAsync(CancellationToken cancellationToken)
    {
        var link = desktop.Resources.Agent ?? throw new IOException($"the desktop {desktop.Id} is gone");
        var agent = await link.ConnectAsync(cancellationToken);
        var request = new AttestRequest();
        request.Paths.AddRange(attestation.Files.Select(file => file.Path));
        request.EnvNames.AddRange(attestation.Environment.Select(variable => variable.Name));
        var reply = await agent.Guest.AttestAsync(request, cancellationToken: cancellationToken);
        var windows = await WindowWatch.ReadAsync(agent, cancellationToken);
        var size = desktop.Snapshot;
        return new Expectation(
            [.. reply.Files.Where(proof => proof.Error.Length == 0).Select(ExpectedFile.Of)],
            reply.Env.Where(IsTheSameForAll).ToDictionary(variable => variable.Name, variable => variable.SeenBy.Values.First()),
            reply.Hostname,
            reply.TimeZone,
            reply.KeyboardLayout,
            size.Width,
            size.Height,
            windows.Any(window => window.Mapped && Attestor.IsTerminal(window)),
            windows.Any(window => window.Mapped && Attestor.IsBrowser(window)));
    }

    /// <summary>Has memory, devices and disk copied into a directory that it makes; the desktop stands still meanwhile.</summary>
    /// <exception cref="StepFailedException">It is not ready any more, or it could not be copied.</exception>
    public async Task CopyAsync(string directory, StepProgress progress, CancellationToken cancellationToken)
    {
        progress.Seen($"of {desktop.Id}");
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var result = await desktop.ForkAsync(directory, cancellationToken);
        if (!result.Accepted)
        {
            throw progress.Fail(ReasonCodes.StepFailed, $"The desktop {desktop.Id} could not be copied: {result.Problem ?? result.Message}");
        }
    }

    private static bool IsTheSameForAll(ObservedEnv variable) =>
        Attestor.Observers.All(variable.SeenBy.ContainsKey) && variable.SeenBy.Values.Distinct().Count() == 1;
}
