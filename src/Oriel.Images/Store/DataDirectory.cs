namespace Oriel.Images.Store;

/// <summary>Where one installation of Oriel keeps what it makes: <c>images/</c>, <c>cache/</c>, and the server's own.</summary>
public static class DataDirectory
{
    /// <summary>
    /// What is used when the command line names none: /var/lib/oriel of the account <c>oriel</c>, else $XDG_DATA_HOME/oriel, else
    /// ~/.local/share/oriel.
    /// </summary>
    public static string Default()
    {
        if (Environment.IsPrivilegedProcess || Environment.UserName == "oriel")
        {
            return "/var/lib/oriel";
        }

        var data = Environment.GetEnvironmentVariable("XDG_DATA_HOME");
        return Path.Combine(
            string.IsNullOrEmpty(data)
                ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "share")
                : data,
            "oriel"
        );
    }

    public static string Images(string data) => Path.Combine(data, "images");

    public static string Cache(string data) => Path.Combine(data, "cache");
}
