// controlroom: firewall of host cr1 in site azure. Default deny.
param location string = resourceGroup().location

resource group 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'controlroom-cr1'
  location: location
  tags: {
    'controlroom': 'cr1'
    'controlroom-site': 'azure'
  }
  properties: {
    securityRules: [
      {
        name: 'controlroom-in-browser-http-v4'
        properties: {
          description: 'controlroom: browser-http: People open the Control Room and are sent on to HTTPS'
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '203.0.113.0/24'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '80'
        }
      }
      {
        name: 'controlroom-in-browser-https-v4'
        properties: {
          description: 'controlroom: browser-https: People work in the Control Room, with live pages'
          priority: 101
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '203.0.113.0/24'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '443'
        }
      }
      {
        name: 'controlroom-in-runner-http-v4'
        properties: {
          description: 'controlroom: runner-http: Bot Runners reach a Control Room without TLS'
          priority: 102
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefixes: [
            '10.1.2.11'
            '10.1.2.12/31'
            '10.1.2.14'
          ]
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '80'
        }
      }
      {
        name: 'controlroom-in-runner-link-v4'
        properties: {
          description: 'controlroom: runner-link: Bot Runners hold their one link: WebSocket, or HTTPS long-poll behind a proxy'
          priority: 103
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefixes: [
            '10.1.2.11'
            '10.1.2.12/31'
            '10.1.2.14'
          ]
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '443'
        }
      }
      {
        name: 'controlroom-in-creator-http-v4'
        properties: {
          description: 'controlroom: creator-http: Bot Creators reach a Control Room without TLS'
          priority: 104
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefixes: [
            '10.1.2.11'
            '10.1.2.12/31'
            '10.1.2.14'
          ]
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '80'
        }
      }
      {
        name: 'controlroom-in-creator-https-v4'
        properties: {
          description: 'controlroom: creator-https: Bot Creators publish and fetch bots'
          priority: 105
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefixes: [
            '10.1.2.11'
            '10.1.2.12/31'
            '10.1.2.14'
          ]
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '443'
        }
      }
      {
        name: 'controlroom-in-balancer-web-v4'
        properties: {
          description: 'controlroom: balancer-web: The load balancer passes requests to a node'
          priority: 106
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.0.10'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '8080'
        }
      }
      {
        name: 'controlroom-in-cluster-messaging-v4'
        properties: {
          description: 'controlroom: cluster-messaging: Nodes wake each other by messages'
          priority: 107
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '5672'
        }
      }
      {
        name: 'controlroom-in-cluster-caching-data-v4'
        properties: {
          description: 'controlroom: cluster-caching-data: Nodes share presence and sessions'
          priority: 108
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '47100-47200'
        }
      }
      {
        name: 'controlroom-in-cluster-caching-bus-v4'
        properties: {
          description: 'controlroom: cluster-caching-bus: Cache peers find each other'
          priority: 109
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '47500-47598'
        }
      }
      {
        name: 'controlroom-in-erlang-port-mapper-v4'
        properties: {
          description: 'controlroom: erlang-port-mapper: Broker peers find each other'
          priority: 110
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '4369'
        }
      }
      {
        name: 'controlroom-in-erlang-distribution-v4'
        properties: {
          description: 'controlroom: erlang-distribution: Broker peers replicate queues'
          priority: 111
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '25672'
        }
      }
      {
        name: 'controlroom-in-search-http-v4'
        properties: {
          description: 'controlroom: search-http: Nodes search the audit log'
          priority: 112
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '47599'
        }
      }
      {
        name: 'controlroom-in-search-transport-v4'
        properties: {
          description: 'controlroom: search-transport: Search peers replicate the index'
          priority: 113
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.12'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '47600'
        }
      }
      {
        name: 'controlroom-in-management-rdp-v4'
        properties: {
          description: 'controlroom: management-rdp: Administrators manage Windows hosts'
          priority: 114
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.9.0/27'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.11'
          destinationPortRange: '3389'
        }
      }
      {
        name: 'controlroom-in-default-deny'
        properties: {
          description: 'controlroom: default deny: the platform\'s own default rules allow more than the contract'
          priority: 4096
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
      {
        name: 'controlroom-out-rdp-session-v4'
        properties: {
          description: 'controlroom: rdp-session: The Control Room opens a desktop session on a Bot Runner'
          priority: 100
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefixes: [
            '10.1.2.11'
            '10.1.2.12/31'
            '10.1.2.14'
          ]
          destinationPortRange: '3389'
        }
      }
      {
        name: 'controlroom-out-cluster-messaging-v4'
        properties: {
          description: 'controlroom: cluster-messaging: Nodes wake each other by messages'
          priority: 101
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '5672'
        }
      }
      {
        name: 'controlroom-out-cluster-caching-data-v4'
        properties: {
          description: 'controlroom: cluster-caching-data: Nodes share presence and sessions'
          priority: 102
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '47100-47200'
        }
      }
      {
        name: 'controlroom-out-cluster-caching-bus-v4'
        properties: {
          description: 'controlroom: cluster-caching-bus: Cache peers find each other'
          priority: 103
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '47500-47598'
        }
      }
      {
        name: 'controlroom-out-erlang-port-mapper-v4'
        properties: {
          description: 'controlroom: erlang-port-mapper: Broker peers find each other'
          priority: 104
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '4369'
        }
      }
      {
        name: 'controlroom-out-erlang-distribution-v4'
        properties: {
          description: 'controlroom: erlang-distribution: Broker peers replicate queues'
          priority: 105
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '25672'
        }
      }
      {
        name: 'controlroom-out-search-http-v4'
        properties: {
          description: 'controlroom: search-http: Nodes search the audit log'
          priority: 106
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '47599'
        }
      }
      {
        name: 'controlroom-out-search-transport-v4'
        properties: {
          description: 'controlroom: search-transport: Search peers replicate the index'
          priority: 107
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.1.12'
          destinationPortRange: '47600'
        }
      }
      {
        name: 'controlroom-out-database-postgresql-v4'
        properties: {
          description: 'controlroom: database-postgresql: The Control Room keeps its state'
          priority: 108
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.32'
          destinationPortRange: '5432'
        }
      }
      {
        name: 'controlroom-out-database-sql-server-v4'
        properties: {
          description: 'controlroom: database-sql-server: The Control Room keeps its state'
          priority: 109
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.30'
          destinationPortRange: '1433'
        }
      }
      {
        name: 'controlroom-out-directory-ldap-v4'
        properties: {
          description: 'controlroom: directory-ldap: Users are looked up and signed in'
          priority: 110
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '389'
        }
      }
      {
        name: 'controlroom-out-directory-ldaps-v4'
        properties: {
          description: 'controlroom: directory-ldaps: Users are looked up and signed in over TLS'
          priority: 111
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '636'
        }
      }
      {
        name: 'controlroom-out-directory-catalogue-v4'
        properties: {
          description: 'controlroom: directory-catalogue: Users of the whole forest are found'
          priority: 112
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '3268'
        }
      }
      {
        name: 'controlroom-out-directory-catalogue-tls-v4'
        properties: {
          description: 'controlroom: directory-catalogue-tls: Users of the whole forest are found over TLS'
          priority: 113
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '3269'
        }
      }
      {
        name: 'controlroom-out-kerberos-tcp-v4'
        properties: {
          description: 'controlroom: kerberos-tcp: Single sign-on, large tickets'
          priority: 114
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '88'
        }
      }
      {
        name: 'controlroom-out-kerberos-udp-v4'
        properties: {
          description: 'controlroom: kerberos-udp: Single sign-on'
          priority: 115
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Udp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '88'
        }
      }
      {
        name: 'controlroom-out-subversion-https-v4'
        properties: {
          description: 'controlroom: subversion-https: Bots are kept under version control'
          priority: 116
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.20'
          destinationPortRange: '443'
        }
      }
      {
        name: 'controlroom-out-subversion-http-v4'
        properties: {
          description: 'controlroom: subversion-http: Bots are kept under version control without TLS'
          priority: 117
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.20'
          destinationPortRange: '80'
        }
      }
      {
        name: 'controlroom-out-file-share-v4'
        properties: {
          description: 'controlroom: file-share: Packages and artifacts are shared by the nodes'
          priority: 118
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.31'
          destinationPortRange: '445'
        }
      }
      {
        name: 'controlroom-out-notice-mail-v4'
        properties: {
          description: 'controlroom: notice-mail: The Control Room sends notices'
          priority: 119
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '40.92.0.0/15'
          destinationPortRange: '587'
        }
      }
      {
        name: 'controlroom-out-dns-udp-v4'
        properties: {
          description: 'controlroom: dns-udp: Names are resolved'
          priority: 120
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Udp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '53'
        }
      }
      {
        name: 'controlroom-out-dns-tcp-v4'
        properties: {
          description: 'controlroom: dns-tcp: Names are resolved, large answers'
          priority: 121
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '10.1.3.4/31'
          destinationPortRange: '53'
        }
      }
      {
        name: 'controlroom-out-time-v4'
        properties: {
          description: 'controlroom: time: Clocks are kept right: leases and Kerberos need it'
          priority: 122
          direction: 'Outbound'
          access: 'Allow'
          protocol: 'Udp'
          sourceAddressPrefix: '10.1.1.11'
          sourcePortRange: '*'
          destinationAddressPrefix: '168.63.129.16'
          destinationPortRange: '123'
        }
      }
      {
        name: 'controlroom-out-default-deny'
        properties: {
          description: 'controlroom: default deny: the platform\'s own default rules allow more than the contract'
          priority: 4096
          direction: 'Outbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}
