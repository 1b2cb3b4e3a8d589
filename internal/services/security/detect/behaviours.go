package detect

// The alerts that single behaviours raise. Types that begin with VM_ are Azure's, with its severity; where Azure's table has no behaviour of the kind, or a weaker one, the
// type is Bulkhead's own.
var (
	remedyPersistence = []string{
		"Look at what was set to run, and remove it if nobody meant it to.",
		"Find out which session did it, and what else that session did.",
		"Change the passwords and keys of the account that was used.",
	}
	remedyAccount = []string{
		"Ask the account's owner, or whoever looks after the machine, whether this was meant.",
		"If not, undo it, and change the passwords and keys of the accounts concerned.",
	}
	remedyRights = []string{
		"Look at the file or account that got the rights, and take them away if nobody meant it.",
		"Look for what was run with them since.",
	}
	remedyLogs = []string{
		"Switch on again what was switched off, and compare with the copy of the logs that is kept elsewhere.",
		"Look at what the session did before: it is what was to be hidden.",
	}
	remedySecrets = []string{
		"Change the passwords, keys and tokens that were read.",
		"Look at where they were used since.",
		"Keep secrets in a vault, and let machines in by an identity of their own.",
	}
	remedyContainer = []string{
		"Stop the container, and find out who started it.",
		"Look at what was changed on its host, and set the host up anew if anything was.",
		"Allow only those who need it to control the engine, and no containers with their host's rights.",
	}
	remedyImpact = []string{
		"Isolate the machine, so that no others are reached.",
		"Bring back what was lost from a backup made before the session began.",
		"Find out how the session came to the machine, and close that way.",
	}

	// Execution.
	decodedRun     = Alert{"BH_DecodedRun", "Decoded text was run", Medium, "DefenseEvasion", []string{"T1140", "T1027", "T1059.004"}, remedyTool}
	decodedMany    = Alert{"BH_DecodedMany", "Many encoded texts were decoded", Medium, "DefenseEvasion", []string{"T1140"}, remedyTool}
	decoded        = Alert{"BH_Decoded", "Encoded text was decoded", Low, "DefenseEvasion", []string{"T1140"}, remedyTool}
	hiddenCommand  = Alert{"BH_HiddenCommand", "Text was given to a shell as its program", Low, "Execution", []string{"T1059.004", "T1027.010"}, remedyTool}
	shellEscape    = Alert{"BH_ShellEscape", "Shell started by a program that is made for something else", Medium, "PrivilegeEscalation", []string{"T1548", "T1059.004"}, remedyTool}
	dataRun        = Alert{"BH_DataRun", "Script that says it is a picture or a document was run", Medium, "DefenseEvasion", []string{"T1036.008"}, remedyTool}
	compiledHere   = Alert{"VM_SuspectCompilation", "Suspicious compilation detected", Medium, "DefenseEvasion", []string{"T1027.004"}, remedyTool}
	compiledByHand = Alert{"BH_CompiledByHand", "Program was compiled by hand", Low, "DefenseEvasion", []string{"T1027.004"}, remedyTool}
	scriptTyped    = Alert{"BH_ScriptTyped", "Script was written line by line and run", Low, "Execution", []string{"T1059.004", "T1059.006"}, remedyTool}
	uploadedRun    = Alert{"BH_UploadedRun", "Program was copied to the machine and run", Low, "Execution", []string{"T1105", "T1059.004"}, remedyTool}
	typedTemp      = Alert{"BH_TypedTemp", "Script was written line by line to where everybody may write, and run", Medium, "Execution", []string{"T1059.004", "T1059.006"}, remedyTool}
	typedDropper   = Alert{"BH_TypedDropper", "Script that fetches and runs something was written line by line and run", Medium, "Execution", []string{"T1059.006", "T1059.004", "T1105"}, remedyTool}
	tempDropped    = Alert{"BH_TempDropped", "Program was copied to where everybody may write, and run", Medium, "Execution", []string{"T1204.002", "T1036.005"}, remedyTool}
	tempRun        = Alert{"BH_TempRun", "Program was run that lies where everybody may write", Low, "Execution", []string{"T1059.004", "T1204.002"}, remedyTool}
	tempAsRoot     = Alert{"BH_TempAsRoot", "Program that lies where everybody may write was run as root", Medium, "PrivilegeEscalation", []string{"T1548.003", "T1059.004"}, remedyTool}
	memoryProgram  = Alert{"BH_MemoryProgram", "Program that lies in memory only was run", Medium, "DefenseEvasion", []string{"T1620", "T1564"}, remedyTool}
	credentialTool = Alert{"VM_KnownLinuxCredentialAccessTool", "Possible credential access tool detected", Medium, "CredentialAccess", []string{"T1003"}, remedyTool}
	attackToolRun  = Alert{"VM_KnownLinuxAttackTool", "Possible attack tool detected", Medium, "Execution", []string{"T1588.002"}, remedyTool}

	// Persistence.
	sshKeyAdded        = Alert{"VM_SshKeyAddition", "New SSH key added", Low, "Persistence", []string{"T1098.004"}, remedyPersistence}
	cronReplaced       = Alert{"BH_CronReplaced", "List of what cron runs was replaced", Low, "Persistence", []string{"T1053.003"}, remedyPersistence}
	cronAccess         = Alert{"VM_CronJobAccess", "Cron job manipulation detected", Informational, "Persistence", []string{"T1053.003"}, remedyPersistence}
	cronChanged        = Alert{"BH_CronChanged", "What cron runs was changed by hand", Medium, "Persistence", []string{"T1053.003"}, remedyPersistence}
	atJob              = Alert{"BH_AtJob", "Job for later was set up by hand", Low, "Persistence", []string{"T1053.002"}, remedyPersistence}
	unitChanged        = Alert{"BH_UnitChanged", "What systemd runs was changed by hand", Medium, "Persistence", []string{"T1543.002", "T1053.006"}, remedyPersistence}
	bootChanged        = Alert{"BH_BootChanged", "What runs at the start of the machine was changed by hand", Medium, "Persistence", []string{"T1037.004", "T1547.006"}, remedyPersistence}
	profileChanged     = Alert{"BH_ProfileChanged", "Command was put into what shells run", Medium, "Persistence", []string{"T1546.004"}, remedyPersistence}
	profileSetting     = Alert{"BH_ProfileSetting", "Settings of an account's shells were changed", Low, "Persistence", []string{"T1546.004"}, remedyPersistence}
	preloadChanged     = Alert{"BH_Preload", "Library is loaded into programs before their own", Medium, "Persistence", []string{"T1574.006"}, remedyPersistence}
	startupHook        = Alert{"BH_StartupHook", "Something was set to run when something happens", Medium, "Persistence", []string{"T1546", "T1547"}, remedyPersistence}
	gitHookChanged     = Alert{"BH_GitHook", "Something was set to run with git", Low, "Persistence", []string{"T1546"}, remedyPersistence}
	trapHandler        = Alert{"BH_TrapHandler", "Shell was set to run something when it ends", Medium, "Persistence", []string{"T1546.005"}, remedyPersistence}
	webShell           = Alert{"VM_Webshell", "Possible malicious web shell detected", Medium, "Persistence", []string{"T1505.003"}, remedyPersistence}
	userAdded          = Alert{"VM_SuspectUserAddition", "Suspicious user account added", Medium, "Persistence", []string{"T1136.001"}, remedyAccount}
	accountMade        = Alert{"BH_AccountMade", "Account was made by hand", Low, "Persistence", []string{"T1136.001"}, remedyAccount}
	newSudoer          = Alert{"VM_NewSudoerAccount", "New account added to sudo group", Low, "Persistence", []string{"T1098.007"}, remedyAccount}
	serviceSignIn      = Alert{"BH_ServiceSignIn", "Account of a service was made one that can sign in", Medium, "Persistence", []string{"T1078.003", "T1098"}, remedyAccount}
	rootTwin           = Alert{"BH_RootTwin", "Account with the rights of root was made", High, "Persistence", []string{"T1136.001", "T1078.003"}, remedyAccount}
	privilegeGranted   = Alert{"BH_PrivilegeGranted", "Account got the rights of an administrator", Medium, "Persistence", []string{"T1098.007"}, remedyAccount}
	passwordSet        = Alert{"BH_PasswordSet", "Password of an account was set", Low, "Persistence", []string{"T1098", "T1531"}, remedyAccount}
	shellChanged       = Alert{"BH_ShellChanged", "Login shell of an account was changed", Low, "Persistence", []string{"T1098"}, remedyAccount}
	accountFileChanged = Alert{"BH_AccountFileChanged", "File of accounts or passwords was changed by hand", Medium, "Persistence", []string{"T1136.001", "T1098"}, remedyAccount}
	directoryChanged   = Alert{"BH_DirectoryChanged", "Accounts of a domain were changed from a machine", Medium, "Persistence", []string{"T1136.002"}, remedyAccount}
	signInChanged      = Alert{"BH_SignInChanged", "How passwords are checked was changed by hand", Medium, "CredentialAccess", []string{"T1556.003"}, remedyAccount}
	signInConfig       = Alert{"BH_SshdConfig", "How sshd lets people in was changed by hand", Medium, "Persistence", []string{"T1098.004", "T1021.004"}, remedyAccount}
	certificateAdded   = Alert{"BH_RootCertificate", "Certificate became one that is trusted", Medium, "DefenseEvasion", []string{"T1553.004"}, remedyPersistence}
	certificatesMade   = Alert{"BH_CertificatesMade", "Certificates that are trusted were made anew", Low, "DefenseEvasion", []string{"T1553.004"}, remedyPersistence}
	extensionLoaded    = Alert{"BH_BrowserExtension", "Browser started with an extension that is no store's", Medium, "Persistence", []string{"T1176"}, remedyPersistence}
	packageFromTemp    = Alert{"BH_PackageFromTemp", "Package installed from where everybody may write", Low, "Persistence", []string{"T1546.016"}, remedyPersistence}
	moduleLoaded       = Alert{"BH_ModuleLoaded", "Code was loaded into the kernel by hand", Medium, "Persistence", []string{"T1547.006", "T1014"}, remedyPersistence}
	moduleChanged      = Alert{"BH_ModuleChanged", "Modules of the kernel were changed by hand", Low, "Persistence", []string{"T1547.006"}, remedyPersistence}
	rootkitSignal      = Alert{"BH_RootkitSignal", "Signal sent that only a rootkit waits for", Medium, "DefenseEvasion", []string{"T1014"}, remedyPersistence}
	kernelHelperSet    = Alert{"BH_KernelHelper", "What the kernel starts by itself was set", Medium, "PrivilegeEscalation", []string{"T1611", "T1547.006"}, remedyPersistence}

	// Privilege escalation.
	setuidSet        = Alert{"BH_SetuidSet", "Program was given the rights of its owner", Medium, "PrivilegeEscalation", []string{"T1548.001"}, remedyRights}
	capabilitySet    = Alert{"BH_CapabilitySet", "Program was given a part of root's rights", Medium, "PrivilegeEscalation", []string{"T1548.001"}, remedyRights}
	setuidReport     = Alert{"BH_SetuidReport", "Script of the machine's own looked for programs with others' rights", Low, "Discovery", []string{"T1548.001", "T1083"}, remedyRights}
	setuidSearch     = Alert{"BH_SetuidSearch", "Programs with others' rights were looked for", Medium, "Discovery", []string{"T1548.001", "T1083"}, remedyRights}
	sudoersChanged   = Alert{"BH_SudoersChanged", "What accounts may do as root was changed by hand", Medium, "PrivilegeEscalation", []string{"T1548.003"}, remedyRights}
	privilegesRead   = Alert{"BH_PrivilegesRead", "What accounts may do as root was looked at", Low, "Discovery", []string{"T1033", "T1069.001"}, remedyRights}
	sudoTricked      = Alert{"BH_SudoTricked", "sudo was started as exploits of it start it", High, "PrivilegeEscalation", []string{"T1068", "T1548.003"}, remedyRights}
	ownNamespace     = Alert{"BH_OwnNamespace", "Somebody became root in namespaces of their own", Low, "PrivilegeEscalation", []string{"T1611"}, remedyRights}
	processInjection = Alert{"BH_ProcessWritten", "Memory of a process or the kernel was written", High, "PrivilegeEscalation", []string{"T1055.009"}, remedyTool}

	// Defence evasion.
	historyCleared  = Alert{"VM_HistoryFileCleared", "A history file has been cleared", Medium, "DefenseEvasion", []string{"T1070.003", "T1562.003"}, remedyLogs}
	logRemoved      = Alert{"VM_SystemLogRemoval", "Possible log tampering activity detected", Medium, "DefenseEvasion", []string{"T1070.002"}, remedyLogs}
	loggingImpaired = Alert{"BH_LoggingImpaired", "Logging or auditing was switched off or changed", Medium, "DefenseEvasion", []string{"T1562.012", "T1562.006"}, remedyLogs}
	auditRuleAdded  = Alert{"BH_AuditRuleAdded", "Audit rule was added from a session", Low, "Collection", []string{"T1056.001"}, remedyLogs}
	firewallOff     = Alert{"VM_FirewallDisabled", "Detected disabling of the firewall", Medium, "DefenseEvasion", []string{"T1562.004"}, remedyLogs}
	firewallChanged = Alert{"BH_FirewallChanged", "Firewall or network settings were changed", Low, "DefenseEvasion", []string{"T1562.004"}, remedyLogs}
	protectionOff   = Alert{"BH_ProtectionOff", "What protects the machine was switched off", Medium, "DefenseEvasion", []string{"T1562.001"}, remedyLogs}
	cachesDropped   = Alert{"BH_CachesDropped", "Caches or swap were emptied", Low, "DefenseEvasion", []string{"T1562.001", "T1070"}, remedyLogs}
	timerStopped    = Alert{"VM_TimerServiceDisabled", "Attempt to stop apt-daily-upgrade.timer service detected", Informational, "DefenseEvasion", []string{"T1562.001"}, remedyLogs}
	timestamps      = Alert{"VM_TimestampTampering", "Suspicious file timestamp modification", Low, "DefenseEvasion", []string{"T1070.006"}, remedyLogs}
	clockChanged    = Alert{"BH_ClockChanged", "Clock of the machine was set by hand", Medium, "DefenseEvasion", []string{"T1070.006"}, remedyLogs}
	immutable       = Alert{"BH_ImmutableFlag", "Whether files can be changed was set", Medium, "DefenseEvasion", []string{"T1222.002"}, remedyRights}
	opened          = Alert{"BH_PermissionsOpened", "Permissions of files were widened", Low, "DefenseEvasion", []string{"T1222.002"}, remedyRights}
	hiddenPlace     = Alert{"BH_HiddenPlace", "Something hidden was made or run", Medium, "DefenseEvasion", []string{"T1564.001", "T1036.005"}, remedyTool}
	programCopied   = Alert{"BH_ProgramCopied", "Shell or interpreter was copied under another name", Medium, "DefenseEvasion", []string{"T1036.003"}, remedyTool}
	padded          = Alert{"BH_Padded", "Program was made longer with nothing", Medium, "DefenseEvasion", []string{"T1027.001"}, remedyTool}
	packedProgram   = Alert{"BH_PackedProgram", "Program was packed", Low, "DefenseEvasion", []string{"T1027.002"}, remedyTool}
	processHidden   = Alert{"BH_ProcessHidden", "Process was hidden by a mount", High, "DefenseEvasion", []string{"T1564.013"}, remedyTool}

	// Credential access.
	shadowRead          = Alert{"BH_ShadowRead", "Password hashes were read", Medium, "CredentialAccess", []string{"T1003.008"}, remedySecrets}
	shadowKept          = Alert{"BH_ShadowKept", "Password hashes were copied to a place of the system's", Low, "CredentialAccess", []string{"T1003.008"}, remedySecrets}
	privateKeyRead      = Alert{"BH_PrivateKeyRead", "Private key was read or copied", Medium, "CredentialAccess", []string{"T1552.004"}, remedySecrets}
	cloudCredentials    = Alert{"BH_CloudCredentials", "Credentials for a cloud were read", Medium, "CredentialAccess", []string{"T1552.001"}, remedySecrets}
	storedCredentials   = Alert{"BH_StoredCredentials", "Stored credentials were read", Medium, "CredentialAccess", []string{"T1552.001", "T1555"}, remedySecrets}
	metadataCredentials = Alert{"BH_MetadataCredentials", "Credentials of the machine's identity were asked for by hand", Medium, "CredentialAccess", []string{"T1552.005"}, remedySecrets}
	metadataRead        = Alert{"BH_MetadataRead", "Metadata of the machine were asked for by hand", Low, "Discovery", []string{"T1580"}, remedySecrets}
	secretSearch        = Alert{"BH_SecretSearch", "Keys and passwords were looked for", Medium, "CredentialAccess", []string{"T1552.001", "T1552.004"}, remedySecrets}
	browserSecrets      = Alert{"BH_BrowserSecrets", "What a browser keeps was read", Medium, "CredentialAccess", []string{"T1555.003"}, remedySecrets}
	kerberosTickets     = Alert{"BH_KerberosTickets", "Kerberos tickets or keys were read", Medium, "CredentialAccess", []string{"T1558.005"}, remedySecrets}
	memoryRead          = Alert{"BH_MemoryRead", "Memory of a process was read", Medium, "CredentialAccess", []string{"T1003.007"}, remedySecrets}
	environmentRead     = Alert{"BH_EnvironmentRead", "Environment of a process was read", Low, "CredentialAccess", []string{"T1552"}, remedySecrets}
	inputCapture        = Alert{"BH_InputCapture", "What is typed was recorded", Medium, "CredentialAccess", []string{"T1056.001"}, remedySecrets}
	capture             = Alert{"BH_Capture", "Network was listened to", Low, "CredentialAccess", []string{"T1040"}, remedySecrets}
	captureTried        = Alert{"BH_CaptureTried", "Several programs that listen to the network were tried", Medium, "CredentialAccess", []string{"T1040"}, remedySecrets}
	captureKept         = Alert{"BH_CaptureKept", "What goes over the network was kept or searched", Medium, "CredentialAccess", []string{"T1040"}, remedySecrets}
	historyRead         = Alert{"BH_HistoryRead", "Record of commands typed was read", Low, "CredentialAccess", []string{"T1552.003"}, remedySecrets}
	historySearched     = Alert{"BH_HistorySearched", "Record of commands typed was searched for passwords", Medium, "CredentialAccess", []string{"T1552.003"}, remedySecrets}
	passwordsTried      = Alert{"BH_PasswordsTried", "Passwords were given to sudo or su by a pipe", Medium, "CredentialAccess", []string{"T1110.001"}, remedySecrets}
	passwordGiven       = Alert{"BH_PasswordGiven", "sudo was told to read the password from its input", Low, "PrivilegeEscalation", []string{"T1548.003"}, remedySecrets}
	passwordInLine      = Alert{"BH_PasswordInLine", "Password was given by a command line", Medium, "CredentialAccess", []string{"T1552", "T1021.004"}, remedySecrets}
	agentUsed           = Alert{"BH_AgentUsed", "Somebody's SSH agent was taken over", Medium, "LateralMovement", []string{"T1563.001"}, remedySecrets}
	mailRead            = Alert{"BH_MailRead", "Mail of an account was read", Low, "Collection", []string{"T1114.001"}, remedySecrets}

	// Discovery.
	portScanTool      = Alert{"BH_PortScan", "Addresses or ports were tried one after the other", Medium, "Discovery", []string{"T1046"}, remedyTool}
	portTried         = Alert{"BH_PortTried", "It was tried whether a port is open", Low, "Discovery", []string{"T1046"}, remedyTool}
	directoryQueried  = Alert{"BH_DirectoryQueried", "Accounts or shares of a network were asked for", Low, "Discovery", []string{"T1087.002", "T1069.002", "T1135"}, remedyTool}
	directorySearched = Alert{"BH_DirectorySearched", "Directory was searched for accounts that are easily taken", Medium, "Discovery", []string{"T1087.002", "T1558"}, remedyTool}
	browsersSearched  = Alert{"BH_BrowsersSearched", "What browsers keep was looked for all over the machine", Medium, "Discovery", []string{"T1217"}, remedyTool}
	bookmarksRead     = Alert{"BH_BookmarksRead", "Bookmarks of a browser were read", Low, "Discovery", []string{"T1217"}, remedyTool}
	placeAsked        = Alert{"BH_PlaceAsked", "Script asked the web in which place the machine is", Medium, "Discovery", []string{"T1614"}, remedyTool}
	geolocated        = Alert{"BH_Geolocated", "Where the machine is was asked of the web", Low, "Discovery", []string{"T1614", "T1016"}, remedyTool}
	filesListed       = Alert{"BH_FilesListed", "Files were looked for all over the machine", Informational, "Discovery", []string{"T1083"}, remedyTool}
	cloudListed       = Alert{"BH_CloudListed", "What there is in a cloud was listed", Informational, "Discovery", []string{"T1580"}, remedyTool}
	containersListed  = Alert{"BH_ContainersListed", "Containers were listed", Informational, "Discovery", []string{"T1613"}, remedyTool}
	kerberosListed    = Alert{"BH_KerberosListed", "Kerberos tickets were listed", Informational, "Discovery", []string{"T1558"}, remedyTool}
	virtualMachine    = Alert{"BH_VirtualMachine", "It was looked for what the machine runs in", Medium, "DefenseEvasion", []string{"T1497.001"}, remedyTool}
	hostReport        = Alert{"BH_HostReport", "Script of the machine's own asked much about the host", Low, "Discovery", []string{"T1082"}, remedyTool}
	toolLooked        = Alert{"BH_ProtectionLooked", "Programs that protect the machine were looked for", Medium, "Discovery", []string{"T1518.001"}, remedyTool}

	// Collection and exfiltration.
	archivedSystem = Alert{"BH_ArchivedSystem", "Files of accounts or sign-ins were packed", Medium, "Collection", []string{"T1560.001", "T1560.002"}, remedySecrets}
	answersKept    = Alert{"BH_AnswersKept", "Answers about the host were collected in a file", Medium, "Collection", []string{"T1074.001", "T1082"}, remedyTool}
	accountsKept   = Alert{"BH_AccountsKept", "Accounts were listed into a file where everybody may write", Medium, "Collection", []string{"T1074.001", "T1087.001"}, remedyTool}
	archived       = Alert{"BH_Archived", "Files were packed", Low, "Collection", []string{"T1560.001"}, remedyTool}
	accountsPacked = Alert{"BH_AccountsRead", "Accounts were read by a one-liner", Low, "Collection", []string{"T1560.002", "T1087.001"}, remedyTool}
	dataSplit      = Alert{"BH_DataSplit", "File was split into parts of a size", Low, "Exfiltration", []string{"T1030"}, remedyTool}
	partsStaged    = Alert{"BH_PartsStaged", "File was split into parts where everybody may write", Medium, "Exfiltration", []string{"T1030", "T1074.001"}, remedyTool}
	egress         = Alert{"VM_DataEgressArtifacts", "Possible data exfiltration detected", Medium, "Exfiltration", []string{"T1048", "T1567"}, remedyTool}
	dataPosted     = Alert{"BH_DataPosted", "Text was sent to somewhere outside", Low, "Exfiltration", []string{"T1048.003"}, remedyTool}
	remoteCopy     = Alert{"BH_RemoteCopy", "Files were copied to or from another machine", Low, "CommandAndControl", []string{"T1105", "T1048"}, remedyTool}
	oddTransfer    = Alert{"BH_OddTransfer", "Data went through a tool that isn't made to carry it", Medium, "CommandAndControl", []string{"T1105", "T1048.003"}, remedyTool}
	encodedName    = Alert{"BH_EncodedName", "Data stood encoded in a name", Medium, "CommandAndControl", []string{"T1132.001", "T1048.003"}, remedyTool}
	fileServer     = Alert{"BH_FileServer", "Files were offered by a one-liner", Low, "Exfiltration", []string{"T1048.003"}, remedyTool}
	userCapture    = Alert{"BH_UserCapture", "Screen, clipboard, camera or microphone was recorded", Medium, "Collection", []string{"T1113", "T1115", "T1123"}, remedyTool}
	staged         = Alert{"BH_Staged", "Found files were copied together", Medium, "Collection", []string{"T1074.001", "T1119"}, remedyTool}

	// Command and control, lateral movement.
	portForward  = Alert{"VM_SuspectPortForwarding", "Possible port forwarding to external IP address", Medium, "CommandAndControl", []string{"T1572", "T1090.001"}, remedyTool}
	localForward = Alert{"BH_LocalForward", "Port leads to another machine", Low, "CommandAndControl", []string{"T1572"}, remedyTool}
	tunnelTool   = Alert{"BH_TunnelTool", "Tunnel into the machine from outside", Medium, "CommandAndControl", []string{"T1572"}, remedyTool}
	remoteAccess = Alert{"BH_RemoteAccess", "Program that lets others enter the machine", Low, "CommandAndControl", []string{"T1219"}, remedyTool}
	anonymized   = Alert{"BH_Anonymized", "Where connections come from was hidden", Medium, "CommandAndControl", []string{"T1090.003"}, remedyTool}
	proxySet     = Alert{"BH_ProxySet", "Connections were sent through a proxy", Low, "CommandAndControl", []string{"T1090.001"}, remedyTool}
	userAgents   = Alert{"BH_UserAgents", "Fetcher said it is several things", Medium, "CommandAndControl", []string{"T1071.001"}, remedyTool}
	userAgent    = Alert{"BH_UserAgent", "Fetcher said it is something else", Low, "CommandAndControl", []string{"T1071.001"}, remedyTool}
	manyEntered  = Alert{"BH_ManyEntered", "Many machines were entered from one session", Medium, "LateralMovement", []string{"T1021.004"}, remedyTool}

	// Containers.
	openContainer     = Alert{"BH_OpenContainer", "Container with the rights or files of its host", Medium, "PrivilegeEscalation", []string{"T1611", "T1610"}, remedyContainer}
	hostEntered       = Alert{"BH_HostEntered", "Host was entered from a container", High, "PrivilegeEscalation", []string{"T1611"}, remedyContainer}
	containerControl  = Alert{"BH_ContainerControl", "Engine of containers was controlled directly", Medium, "Execution", []string{"T1609"}, remedyContainer}
	exposedDocker     = Alert{"VM_ExposedDocker", "Exposed Docker daemon detected", Medium, "Exploitation", []string{"T1610"}, remedyContainer}
	containerRun      = Alert{"BH_ContainerRun", "Container or a program in one was started by hand", Low, "Execution", []string{"T1609", "T1610"}, remedyContainer}
	imageBuilt        = Alert{"BH_ImageBuilt", "Image was built by hand", Low, "DefenseEvasion", []string{"T1612"}, remedyContainer}
	containersRemoved = Alert{"BH_ContainersRemoved", "Containers were removed with their logs", Low, "DefenseEvasion", []string{"T1070"}, remedyContainer}

	// Impact.
	minerTuned        = Alert{"BH_MinerTuned", "Machine was set up as miners want it", Low, "Impact", []string{"T1496"}, remedyTool}
	rivalKilled       = Alert{"BH_RivalKilled", "Program that mines was ended", Low, "Impact", []string{"T1489"}, remedyTool}
	burned            = Alert{"BH_Burned", "Time of the processor was used for nothing", Medium, "Impact", []string{"T1496", "T1499"}, remedyTool}
	encrypted         = Alert{"BH_Encrypted", "File was encrypted with a password given", Medium, "Impact", []string{"T1486", "T1560.001"}, remedyImpact}
	encryptedKept     = Alert{"BH_EncryptedKept", "File was encrypted with a password that is kept in a file", Low, "Impact", []string{"T1486", "T1560.001"}, remedyImpact}
	massEncrypted     = Alert{"BH_MassEncrypted", "Many files were encrypted", High, "Impact", []string{"T1486"}, remedyImpact}
	wiped             = Alert{"BH_Wiped", "Disk or everything on it was to be removed", High, "Impact", []string{"T1561", "T1485"}, remedyImpact}
	diskWiped         = Alert{"BH_DiskWritten", "Disk was written below its file system", High, "Impact", []string{"T1561"}, remedyImpact}
	overwritten       = Alert{"BH_Overwritten", "File was overwritten with nothing", Medium, "Impact", []string{"T1485"}, remedyImpact}
	shredded          = Alert{"BH_Shredded", "Files were removed so that nobody gets them back", Medium, "DefenseEvasion", []string{"T1070.004", "T1485"}, remedyImpact}
	recoveryInhibited = Alert{"BH_RecoveryInhibited", "What a machine is brought back from was removed", Medium, "Impact", []string{"T1490"}, remedyImpact}
	daemonKilled      = Alert{"BH_DaemonKilled", "One of the system's services was ended by a signal", Medium, "Impact", []string{"T1489"}, remedyImpact}
	serviceStopped    = Alert{"BH_ServiceStopped", "Service was stopped", Low, "Impact", []string{"T1489"}, remedyImpact}
	servicesStopped   = Alert{"BH_ServicesStopped", "Many services were stopped", Medium, "Impact", []string{"T1489"}, remedyImpact}
	machineStopped    = Alert{"BH_MachineStopped", "Machine was told to stop", Low, "Impact", []string{"T1529"}, remedyImpact}
	stoppedByScript   = Alert{"BH_StoppedByScript", "Machine was told to stop at once by a script", Medium, "Impact", []string{"T1529"}, remedyImpact}
	kernelRequest     = Alert{"BH_KernelRequest", "Kernel was told to end everything at once", Medium, "Impact", []string{"T1529", "T1489"}, remedyImpact}
	accountsLost      = Alert{"BH_AccountsLost", "Accounts lost their way in", Medium, "Impact", []string{"T1531"}, remedyAccount}
	accountLocked     = Alert{"BH_AccountLocked", "Account was locked", Low, "Impact", []string{"T1531"}, remedyAccount}
	accountRemoved    = Alert{"BH_AccountRemoved", "Account was removed", Low, "Impact", []string{"T1531"}, remedyAccount}
	namesChanged      = Alert{"BH_NamesChanged", "How names are resolved was changed by hand", Low, "Impact", []string{"T1565.001"}, remedyImpact}
)
