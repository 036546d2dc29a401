using Oriel.Agent.Accounts;
using Oriel.Agent.Exec;
using Oriel.Agent.Variables;
using Oriel.Protocol;

namespace Oriel.Agent.Configuration;

/// <summary>
/// Adds certificate authorities to the two stores that programs of a desktop use: the system's and Chromium's (NSS, the user's own).
/// </summary>
internal sealed class TrustStore(CommandRunner commands)
{
    private const string LocalAuthorities = "/usr/local/share/ca-certificates";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>Chromium up to 136 or so reads the first, later ones the second; both are NSS shared databases.</summary>
    private static readonly string[] Databases = [".pki/nssdb", ".local/share/pki/nssdb"];

    public static void Stage(StagedFiles staged, ConfigurationPlan plan)
    {
        for (var i = 0; i < plan.TrustedPems.Count; i++)
        {
            staged.AddText(PathOf(i), plan.TrustedPems[i], GuestRules.DefaultMode, FileOwner.Root);
        }
    }

    /// <summary>After <see cref="Stage"/> has been committed. Both stores at once, as neither knows of the other.</summary>
    /// <exception cref="IOException">A tool failed; says which and what it said.</exception>
    public async Task ApplyAsync(ConfigurationPlan plan, UserAccount user, CancellationToken cancellationToken)
    {
        if (plan.TrustedPems.Count == 0)
        {
            return;
        }

        var root = UserAccounts.Find("0") ?? throw new IOException("The image has no root account.");
        var system = commands.RunAsync(root, SessionEnvironment.Login(root), Deadline, cancellationToken, "update-ca-certificates");
        await Task.WhenAll([
            RequireAsync(system, "update-ca-certificates"),
            .. Databases.Select(database => AddToNssAsync(database, plan, user, cancellationToken)),
        ]);
    }

    private static string PathOf(int index) => $"{LocalAuthorities}/oriel-{index + 1}.crt";

    private static async Task RequireAsync(Task<CommandResult> running, string what) => (await running).OrThrow(what);

    private async Task AddToNssAsync(string database, ConfigurationPlan plan, UserAccount user, CancellationToken cancellationToken)
    {
        var path = Path.Combine(user.Home, database);
        Linux.Files.DirectoryHandle.OpenOrCreate(path, user.Uid, user.Gid).Dispose();
        if (!File.Exists(Path.Combine(path, "cert9.db")))
        {
            await RunAsync("-N", "--empty-password");
        }

        for (var i = 0; i < plan.TrustedPems.Count; i++)
        {
            await RunAsync("-A", "-t", "C,,", "-n", $"oriel-{i + 1}", "-i", PathOf(i));
        }

        async Task RunAsync(params string[] arguments) =>
            (
                await commands.RunAsync(
                    user,
                    SessionEnvironment.Login(user),
                    Deadline,
                    cancellationToken,
                    ["certutil", "-d", "sql:" + path, .. arguments]
                )
            ).OrThrow("certutil");
    }
}
