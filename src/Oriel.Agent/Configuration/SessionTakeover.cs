using Oriel.Agent.Variables;

namespace Oriel.Agent.Configuration;

/// <summary>
/// What of a configuration a session that runs already takes over as it is: screen size, identity of the machine, files that no program
/// reads at its start. For the rest its programs have to start anew, since a process keeps the environment that it was started with.
/// </summary>
internal static class SessionTakeover
{
    /// <param name="hostname">The kernel's, before the configuration is applied.</param>
    /// <returns>What it cannot take over, for a person to read; null when there is nothing.</returns>
    public static string? WhyNot(ConfigurationPlan plan, string hostname)
    {
        var reasons = new List<string>();
        Add(plan.Environment.Count > 0, "its environment");
        Add(plan.Hostname != hostname, "its host name");
        Add(plan.TimeZone != SessionEnvironment.DefaultTimeZone, "its time zone");
        Add(plan.Layout.ToString() != ConfigurationPlan.DefaultLayout, "its keyboard layout");
        Add(plan.TrustedPems.Count > 0, "its certificate authorities");
        Add(plan.StartUrl is not null, "its first page");
        Add(plan.Files.Any(file => IsReadAtStart(file.Path)), "files that programs read at their start");
        return reasons.Count == 0 ? null : string.Join(", ", reasons);

        void Add(bool condition, string what)
        {
            if (condition)
            {
                reasons.Add(what);
            }
        }
    }

    /// <summary>The system's settings and programs, and everything hidden, as dot files and what is below ~/.config are.</summary>
    private static bool IsReadAtStart(string path) =>
        path.Contains("/.", StringComparison.Ordinal)
        || path.StartsWith("/etc/", StringComparison.Ordinal)
        || path.StartsWith("/usr/", StringComparison.Ordinal);
}
