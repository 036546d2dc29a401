using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Agent.Files;
using Oriel.Agent.Session;
using Oriel.Agent.Variables;
using Oriel.Linux.Machine;
using Oriel.Protocol;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Configuration;

/// <summary>
/// Applies the one configuration of a desktop: validated whole, then staged whole, then renamed into place; then the session may start.
/// A request that is refused as invalid has changed nothing and may be corrected; one that failed while it was applied may not.
/// </summary>
internal sealed class GuestConfigurator(
    BootConfig boot,
    StepJournal steps,
    SessionGate gate,
    SystemIdentity identity,
    TrustStore trust,
    ScreenSetup screen
)
{
    private const string TimeZoneVariable = "TZ";

    private int _taken;

    /// <exception cref="RpcException">InvalidArgument: names every fault. FailedPrecondition: configured before. Internal: could not be
    /// applied.</exception>
    public async Task<ConfigureReply> ConfigureAsync(ConfigureRequest request, CancellationToken cancellationToken)
    {
        var user = UserAccounts.Desktop();
        var (plan, faults) = ConfigurationPlan.Create(request, user, SystemCatalog.Default, boot.Hostname);
        if (plan is null)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, string.Join("; ", faults)));
        }

        if (Interlocked.Exchange(ref _taken, 1) != 0)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "this desktop has been configured before"));
        }

        var step = steps.Begin(
            StepNames.GuestConfigure,
            $"{plan.Files.Count} files, {plan.Environment.Count} variables, {plan.TrustedPems.Count} authorities"
        );
        try
        {
            var renewal = boot.Warm is null ? null : SessionTakeover.WhyNot(plan, GuestMachine.Hostname());
            var screenReady = screen.ApplyAsync(plan, user, cancellationToken);
            identity.ApplyToKernel(plan);
            Write(plan, user);
            await Task.WhenAll(screenReady, trust.ApplyAsync(plan, user, cancellationToken));
            var reply = new ConfigureReply();
            reply.Files.AddRange(plan.Files.Select(file => FileProofs.Read(file.Path)));
            if (renewal is not null)
            {
                await gate.RenewAsync(cancellationToken);
            }

            step.Done(renewal is null ? "" : $"the session started anew for {renewal}");
            gate.Open();
            return reply;
        }
        catch (IOException e)
        {
            step.Fail(e.Message);
            throw new RpcException(new Status(StatusCode.Internal, e.Message));
        }
        catch (OperationCanceledException)
        {
            step.Fail("the caller went away");
            throw;
        }
    }

    private static void Write(ConfigurationPlan plan, UserAccount user)
    {
        var noProxy = GuestNetwork.NoProxy(plan.Hostname);
        var variables = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            [TimeZoneVariable] = plan.TimeZone,
            ["NO_PROXY"] = noProxy,
            ["no_proxy"] = noProxy,
        };
        foreach (var (name, value) in plan.Environment)
        {
            variables[name] = value;
        }

        var system = File.Exists(SessionEnvironment.SystemFile) ? File.ReadAllText(SessionEnvironment.SystemFile) : "";
        // The system's own first: a configured file of the same path (such as /etc/hosts) comes after and stands.
        using var own = new StagedFiles();
        SystemIdentity.Stage(own, plan);
        TrustStore.Stage(own, plan);
        ScreenSetup.Stage(own, plan, user);
        own.AddText(SessionEnvironment.SystemFile, EnvironmentFile.Merge(system, variables), GuestRules.DefaultMode, FileOwner.Root);
        own.AddText(GuestRules.ProfileScript, EnvironmentFile.ShellScript(variables), GuestRules.DefaultMode, FileOwner.Root);
        using var files = new StagedFiles();
        foreach (var file in plan.Files)
        {
            files.Add(file.Path, file.Content.Span, file.Mode, file.Owner);
        }

        own.Commit();
        files.Commit();
    }
}
