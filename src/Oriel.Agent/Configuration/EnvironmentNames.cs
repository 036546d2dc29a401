namespace Oriel.Agent.Configuration;

/// <summary>Which variables can be configured.</summary>
internal static class EnvironmentNames
{
    /// <summary>What the session, the login or the shell itself decides: a configured value could not be true everywhere.</summary>
    private static readonly HashSet<string> _reserved = new(StringComparer.Ordinal)
    {
        "_", "BASHOPTS", "BASH_ENV", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "ENV", "EUID", "HOME", "IFS", "LOGNAME", "OLDPWD", "PPID", "PWD", "SHELL",
        "SHELLOPTS", "SHLVL", "UID", "USER", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE",
    };

    /// <summary>[A-Za-z_][A-Za-z0-9_]* (POSIX names).</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= 256
        && !char.IsAsciiDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    public static bool IsReserved(string name) => _reserved.Contains(name);
}
