// Rows from existing machines: the tables, the rule that fills them from procline's files, and the association of the machines
// with the rule. The workspace and the machines may be in other resource groups and subscriptions. Each machine needs the Azure
// Monitor Agent, an identity, and procline with its timer.

@description('The Log Analytics workspace.')
param workspaceName string

@description('Resource group of the workspace.')
param workspaceResourceGroup string = resourceGroup().name

@description('Subscription of the workspace, as an id.')
param workspaceSubscription string = subscription().subscriptionId

@description('Resource ids of the virtual machines, scale sets and machines in Azure Arc to associate with the rule.')
param machineIds array

@description('Region of the rule and the endpoint. It must be the region of the workspace.')
param location string = resourceGroup().location

@description('Columns of the table: those of procline, or those of a table filled from ps (ps) or by the OMS agent (oms).')
@allowed(['procline', 'ps', 'oms'])
param layout string = 'procline'

@description('Plan of the table of processes. Only a new table can get the plan Auxiliary.')
@allowed(['Analytics', 'Basic', 'Auxiliary'])
param plan string = 'Analytics'

@description('Days for which queries of the Analytics plan see the rows; -1 for the retention of the workspace.')
param retentionInDays int = -1

@description('Days after which the rows are removed; -1 for as long as queries see them.')
param totalRetentionInDays int = -1

@description('Whether to create a data collection endpoint for the rule.')
param withEndpoint bool = true

@description('Whether the endpoint accepts connections from public networks. Disabled needs a private link.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string = 'Enabled'

@description('Whether the agents read the rule from the endpoint, as for a private link. They must be in its region.')
param withConfigurationEndpoint bool = false

var columns = loadJsonContent('columns.json')
var layouts = {
  procline: {
    table: 'ProcessMonitor_CL'
    columns: columns.procline
    transform: loadTextContent('transform.kql')
  }
  ps: {
    table: 'ProcessMonitor_CL'
    columns: columns.ps
    transform: loadTextContent('transform-ps.kql')
  }
  oms: {
    table: 'process_CL'
    columns: columns.oms
    transform: loadTextContent('transform-oms.kql')
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
  scope: resourceGroup(workspaceSubscription, workspaceResourceGroup)
}

module table 'table.bicep' = {
  name: 'procline-table'
  scope: resourceGroup(workspaceSubscription, workspaceResourceGroup)
  params: {
    workspaceName: workspaceName
    tableName: layouts[layout].table
    columns: layouts[layout].columns
    plan: plan
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
  }
}

// One row per heartbeat. It stays empty if no machine runs procline-host.timer. The alert for silent machines needs its plan.
module hostTable 'table.bicep' = {
  name: 'procline-host-table'
  scope: resourceGroup(workspaceSubscription, workspaceResourceGroup)
  params: {
    workspaceName: workspaceName
    tableName: 'ProclineHost_CL'
    columns: columns.host
    retentionInDays: retentionInDays
    totalRetentionInDays: totalRetentionInDays
  }
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = if (withEndpoint) {
  name: 'procline'
  location: location
  kind: 'Linux'
  properties: {
    networkAcls: {
      publicNetworkAccess: publicNetworkAccess
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'procline'
  location: location
  kind: 'Linux'
  properties: {
    description: 'One row per process and snapshot, and one per heartbeat, from the files of procline'
    dataCollectionEndpointId: withEndpoint ? endpoint.id : null
    streamDeclarations: {
      'Custom-ProcessMonitor': {
        columns: columns.stream
      }
      'Custom-ProclineHost': {
        columns: columns.hostStream
      }
    }
    dataSources: {
      logFiles: [
        {
          name: 'procline'
          streams: ['Custom-ProcessMonitor']
          filePatterns: ['/var/log/procline/*.jsonl']
          format: 'json'
        }
        {
          name: 'procline-host'
          streams: ['Custom-ProclineHost']
          filePatterns: ['/var/log/procline-host/*.jsonl']
          format: 'json'
        }
      ]
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: ['Custom-ProcessMonitor']
        destinations: ['workspace']
        transformKql: layouts[layout].transform
        outputStream: 'Custom-${layouts[layout].table}'
      }
      {
        streams: ['Custom-ProclineHost']
        destinations: ['workspace']
        transformKql: loadTextContent('transform-host.kql')
        outputStream: 'Custom-ProclineHost_CL'
      }
    ]
  }
  // Azure refuses the rule if its tables do not exist.
  dependsOn: [table, hostTable]
}

module associations 'association.bicep' = [
  for (id, index) in machineIds: {
    name: 'procline-association-${index}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      machineId: id
      ruleId: rule.id
      configurationEndpointId: withEndpoint && withConfigurationEndpoint ? endpoint.id : ''
    }
  }
]

output ruleId string = rule.id
output endpointId string = withEndpoint ? endpoint.id : ''
